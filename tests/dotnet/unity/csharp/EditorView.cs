// The editor's part as a test drives it: the inspector, the window, and what the editor tells its packages.
#nullable enable

using System;
using System.Runtime.CompilerServices;
using ClutchCall.Editor;
using ClutchCall.UnityTransport;
using UnityEditor;
using UnityEngine;

namespace ClutchCall.UnityTests
{
    public static class EditorView
    {
        /// <summary>Runs what is marked to run when the editor has loaded scripts.</summary>
        public static void Load()
        {
            foreach (var assembly in new[] { typeof(LocalHost).Assembly, typeof(LocalHostWindow).Assembly })
                foreach (var type in assembly.GetTypes())
                    if (type.IsDefined(typeof(InitializeOnLoadAttribute), false)) RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }

        /// <summary>What the inspector of a component draws, a line each.</summary>
        public static string[] Inspect(ClutchCallComponent component)
        {
            GUILayout.Take();
            UnityEditor.Editor.CreateEditor(component, typeof(ClutchCallComponentEditor)).OnInspectorGUI();
            return GUILayout.Take();
        }

        /// <summary>Draws the window, with one of its buttons pressed if there is a name; what it draws.</summary>
        public static string[] Window(string pressed)
        {
            var window = EditorWindow.GetWindow<LocalHostWindow>("Local host");
            GUILayout.Take();
            GUILayout.Pressed = pressed;
            Messages.Send(window, "OnGUI");
            if (GUILayout.Pressed != "") throw new InvalidOperationException($"there is no button {pressed}");
            return GUILayout.Take();
        }

        public static void CloseWindow() => EditorWindow.GetWindow<LocalHostWindow>("Local host").Close();

        public static void Set(string key, string value) => EditorPrefs.SetString(key, value);

        public static void Select(GameObject? chosen) => Selection.activeGameObject = chosen;

        public static bool IsDirty(ClutchCallComponent component) => EditorUtility.Dirty.Contains(component);

        /// <summary>What a decoder says to a lost packet.</summary>
        public static int Decode(ClutchCall.Core.OpusDecoder decoder) => decoder.Decode(default, new short[5760]);

        public static void Reload() => AssemblyReloadEvents.Raise();

        /// <summary>One of the editor's ends, while the peers' jobs are under way.</summary>
        public static void While(string how, UtpPeer one, UtpPeer other) => Semantics.While(one, other, how switch
        {
            "Reload" => Reload,
            "Quit" => Quit,
            "StopPlaying" => (Action)StopPlaying,
            _ => throw new ArgumentException(how),
        });

        public static void Quit() => EditorApplication.RaiseQuitting();

        public static void StopPlaying() => EditorApplication.RaisePlayModeStateChanged(PlayModeStateChange.ExitingPlayMode);
    }
}
