// What the editor ends: before it reloads scripts, at the end of play and when it quits, no native handle and no program of ours is left.
#nullable enable

using System;
using ClutchCall.Core;
using UnityEditor;

namespace ClutchCall.Editor
{
    /// <summary>Closes native handles, and ends the local host where its owner would forget it.</summary>
    [InitializeOnLoad]
    internal static class Lifetime
    {
        /// <summary>What closes handles of its own first: the sessions, where Unity Transport is.</summary>
        internal static event Action? Closing;

        static Lifetime()
        {
            AssemblyReloadEvents.beforeAssemblyReload += Unload;
            EditorApplication.quitting += Unload;
            EditorApplication.playModeStateChanged += to =>
            {
                if (to == PlayModeStateChange.ExitingPlayMode) Close();
            };
        }

        private static void Close()
        {
            Closing?.Invoke();
            NativeCore.CloseAll();
        }

        private static void Unload()
        {
            Close();
            LocalHost.Current.Stop();
        }
    }
}
