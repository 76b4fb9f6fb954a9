// The package's samples as a test drives them.
#nullable enable

using System;
using System.Threading;
using ClutchCall.Samples.Echo;
using ClutchCall.Samples.NGO;
using ClutchCall.Samples.Voice;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using UnityEngine;
using UTP = Unity.Netcode.Transports.UTP.UnityTransport;

namespace ClutchCall.UnityTests
{
    public static class SampleRuns
    {
        public static int Echo(string url, string token, string sha256, int echoes, double patience) => Program.Run(
            new Door { Url = url, Token = token, Sha256 = sha256 }, echoes, TimeSpan.FromSeconds(patience));

        /// <summary>A GameObject with the menu, as the documentation puts it together.</summary>
        public static GameObject Menu(string url, string token, string sha256)
        {
            var made = new GameObject("menu");
            made.SetActive(false);
            var manager = made.AddComponent<NetworkManager>();
            manager.NetworkConfig.NetworkTransport = made.AddComponent<UTP>();
            var component = made.AddComponent<ClutchCallComponent>();
            (component.Mode, component.Url, component.Token, component.TrustSha256) = (ClutchCallMode.Relay, url, token, sha256);
            made.AddComponent<ClutchCallMenu>();
            made.SetActive(true);
            return made;
        }

        /// <summary>The first steps of the five-minute guide, by hand: nothing is set but a free port in place of 7777.</summary>
        public static GameObject Guide(ushort port)
        {
            var made = new GameObject("guide");
            made.SetActive(false);
            var manager = made.AddComponent<NetworkManager>();
            var transport = made.AddComponent<UTP>();
            manager.NetworkConfig.NetworkTransport = transport;
            transport.SetConnectionData("127.0.0.1", port);
            made.AddComponent<ClutchCallComponent>();
            made.AddComponent<ClutchCallMenu>();
            made.SetActive(true);
            return made;
        }

        public static int Port(GameObject of) => of.GetComponent<UTP>().Driver.GetLocalEndpoint().Port;

        public static ClutchCallComponent Component(GameObject of) => of.GetComponent<ClutchCallComponent>();

        public static NetworkManager Manager(GameObject of) => of.GetComponent<NetworkManager>();

        /// <summary>Draws the menu with a button pressed.</summary>
        public static string[] Draw(GameObject menu, string pressed)
        {
            GUILayout.Take();
            GUILayout.Pressed = pressed;
            Messages.Send(menu.GetComponent<ClutchCallMenu>(), "OnGUI");
            if (GUILayout.Pressed != "") throw new InvalidOperationException($"there is no button {pressed}");
            return GUILayout.Take();
        }

        public static GameObject Voice(string url, string token, string sha256)
        {
            var made = new GameObject("voice");
            made.SetActive(false);
            made.AddComponent<VoiceChat>().Set(url, token, sha256, "voice");
            made.SetActive(true);
            return made;
        }

        public static bool IsSpeaking(GameObject voice) => voice.GetComponent<VoiceChat>().IsSpeaking;

        /// <summary>20 ms of a tone into the microphone.</summary>
        public static void Hum(int piece)
        {
            const int rate = 16_000, samples = 320;
            var tone = new float[samples];
            for (int at = 0; at < samples; at++) tone[at] = 0.4f * (float)Math.Sin(2 * Math.PI * 500 * (piece * samples + at) / rate);
            Microphone.Hear(tone);
        }

        /// <summary>What the engine's audio thread would get of it: the loudest sample of 10 ms.</summary>
        public static float Loudest(GameObject voice)
        {
            var data = new float[960];
            var filter = Messages.Find(typeof(VoiceChat), "OnAudioFilterRead", typeof(float[]), typeof(int))!;
            var thread = new Thread(() => filter.Invoke(voice.GetComponent<VoiceChat>(), new object[] { data, 2 }));
            thread.Start();
            thread.Join();
            float most = 0;
            foreach (float one in data) most = Math.Max(most, Math.Abs(one));
            return most;
        }
    }
}
