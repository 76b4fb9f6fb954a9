// For Unity's test runner: the native core loads, and two drivers of Unity Transport talk over ClutchCall in this process.
#nullable enable

using System;
using System.Diagnostics;
using System.Threading;
using ClutchCall.Core;
using ClutchCall.UnityTransport;
using NUnit.Framework;
using Unity.Collections;
using Unity.Networking.Transport;

namespace ClutchCall.Tests.Runtime
{
    public sealed class PackageTests
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

        [Test]
        public void TheNativeCoreIsThereAndOfThisRelease() => NativeCore.Check();

        [Test]
        public void AnOptionOutOfItsRangeIsSaid()
        {
            var wrong = new ClutchCallOptions { Room = "a/b" };
            var settings = new NetworkSettings(Allocator.Temp);
            UnityEngine.TestTools.LogAssert.ignoreFailingMessages = true;
            Assert.Throws<ArgumentException>(() => wrong.AddTo(ref settings));
            UnityEngine.TestTools.LogAssert.ignoreFailingMessages = false;
        }

        [Test]
        public void TwoDriversEcho()
        {
            using var server = Make(out var serving);
            using var client = Make(out _);
            Assert.AreEqual(0, server.Bind(NetworkEndpoint.LoopbackIpv4));
            Assert.AreEqual(0, server.Listen(), serving.Text);
            var connection = client.Connect(server.GetLocalEndpoint());
            NetworkConnection accepted = default;
            bool connected = false, echoed = false;
            var clock = Stopwatch.StartNew();
            while (!echoed && clock.Elapsed < Patience)
            {
                server.ScheduleUpdate().Complete();
                client.ScheduleUpdate().Complete();
                if (!accepted.IsCreated) accepted = server.Accept();
                for (var type = server.PopEvent(out var from, out var reader, out var pipe); type != NetworkEvent.Type.Empty; type = server.PopEvent(out from, out reader, out pipe))
                    if (type == NetworkEvent.Type.Data) Send(server, from, reader.ReadByte());
                for (var type = client.PopEvent(out _, out var reader, out _); type != NetworkEvent.Type.Empty; type = client.PopEvent(out _, out reader, out _))
                    if (type == NetworkEvent.Type.Connect) connected = Send(client, connection, 7);
                    else if (type == NetworkEvent.Type.Data) echoed = reader.ReadByte() == 7;
                Thread.Sleep(1);
            }
            Assert.IsTrue(connected, "no connection");
            Assert.IsTrue(echoed, "no echo");
        }

        private static NetworkDriver Make(out ClutchCallSession session)
        {
            session = new ClutchCallSession();
            var settings = new NetworkSettings(Allocator.Temp);
            new ClutchCallOptions { Session = session }.AddTo(ref settings);
            return NetworkDriver.Create(new ClutchCallNetworkInterface(), settings);
        }

        private static bool Send(NetworkDriver driver, NetworkConnection to, byte value)
        {
            if (driver.BeginSend(NetworkPipeline.Null, to, out var writer) != 0) return false;
            writer.WriteByte(value);
            return driver.EndSend(writer) > 0;
        }
    }
}
