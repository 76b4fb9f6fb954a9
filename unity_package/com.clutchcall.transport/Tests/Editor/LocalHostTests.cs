// For Unity's test runner: what the editor makes of a local host's output and of its absence.
#nullable enable

using ClutchCall.Editor;
using NUnit.Framework;

namespace ClutchCall.Tests.Editor
{
    public sealed class LocalHostTests
    {
        [Test]
        public void AProgramThatIsNotThereIsSaid()
        {
            var host = new LocalHost();
            Assert.IsFalse(host.Start("no-such-python", "", LocalProgram.Relay));
            Assert.IsFalse(host.IsRunning);
            Assert.IsTrue(host.Problem.Contains("name a Python"), host.Problem);
            host.Stop();
        }

        [Test]
        public void AFolderThatIsNotThereIsSaid()
        {
            var host = new LocalHost();
            Assert.IsFalse(host.Start("python3", "/no/such/folder", LocalProgram.Host));
            Assert.IsTrue(host.Problem.Contains("is no folder"), host.Problem);
        }
    }
}
