//! moq-relay as it is published, built from this workspace's lock: its own command line, its own defaults.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    moq_tokio::crypto::install_default().map_err(|_| anyhow::anyhow!("a crypto provider is installed already"))?;
    moq_relay::Relay::load(moq_relay::Config::load()?).await?.run().await
}
