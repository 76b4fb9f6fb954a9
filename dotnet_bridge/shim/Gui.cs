// UnityEngine's immediate controls. They draw nothing: what they are told is kept for tests.
#nullable enable

using System.Collections.Generic;

namespace UnityEngine
{
    public class GUIContent
    {
        public GUIContent(string text) => this.text = text;

        public string text { get; set; }
    }

    public class GUILayoutOption { }

    public static class GUILayout
    {
        /// <summary>The shim's own: the button that the next drawing finds pressed.</summary>
        public static string Pressed { get; set; } = "";

        public static void Label(string text, params GUILayoutOption[] options) => Drawn.Add(text);

        public static string TextField(string text, params GUILayoutOption[] options)
        {
            Drawn.Add($"= {text}");
            return text;
        }

        public static bool Button(string text, params GUILayoutOption[] options)
        {
            Drawn.Add(GUI.enabled ? $"[{text}]" : $"[({text})]");
            if (text != Pressed || !GUI.enabled) return false;
            Pressed = "";
            return true;
        }

        /// <summary>The shim's own: what was drawn since the last Take, a line each.</summary>
        public static List<string> Drawn { get; } = new List<string>();

        public static string[] Take()
        {
            var all = Drawn.ToArray();
            Drawn.Clear();
            return all;
        }
    }

    public static class GUI
    {
        public static bool enabled { get; set; } = true;
    }
}
