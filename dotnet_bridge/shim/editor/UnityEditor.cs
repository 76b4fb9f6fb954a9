// UnityEditor, as far as the package's inspector and window use it. Controls draw nothing: what they are told is kept for tests.
#nullable enable

using System;
using System.Collections.Generic;
using System.Reflection;
using UnityEngine;

namespace UnityEditor
{
    public enum MessageType
    {
        None,
        Info,
        Warning,
        Error,
    }

    public enum PlayModeStateChange
    {
        EnteredEditMode,
        ExitingEditMode,
        EnteredPlayMode,
        ExitingPlayMode,
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CustomEditor : Attribute
    {
        public CustomEditor(Type inspectedType) => Type = inspectedType;

        public Type Type { get; }
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class InitializeOnLoadAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MenuItem : Attribute
    {
        public MenuItem(string itemName) => menuItem = itemName;

        public string menuItem;
    }

    /// <summary>An inspector of a component.</summary>
    public class Editor : ScriptableObject
    {
        public UnityEngine.Object? target { get; internal set; }

        public static Editor CreateEditor(UnityEngine.Object targetObject, Type editorType)
        {
            var made = (Editor)Activator.CreateInstance(editorType)!;
            made.target = targetObject;
            return made;
        }

        public virtual void OnInspectorGUI() => DrawDefaultInspector();

        public virtual bool RequiresConstantRepaint() => false;

        /// <summary>A line for every field that Unity would show.</summary>
        public bool DrawDefaultInspector()
        {
            const BindingFlags any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            foreach (var field in target!.GetType().GetFields(any))
                if (field.IsPublic || field.IsDefined(typeof(SerializeField))) GUILayout.Drawn.Add($"field {field.Name}");
            return false;
        }
    }

    public static class Selection
    {
        public static GameObject? activeGameObject { get; set; }
    }

    public class EditorWindow : ScriptableObject
    {
        private static readonly Dictionary<Type, EditorWindow> Open = new Dictionary<Type, EditorWindow>();

        public GUIContent titleContent { get; set; } = new GUIContent("");

        public static T GetWindow<T>(string title) where T : EditorWindow
        {
            if (!Open.TryGetValue(typeof(T), out var held) || !held) Open[typeof(T)] = held = CreateInstance<T>();
            held.titleContent = new GUIContent(title);
            return (T)held;
        }

        public void Repaint() { }

        public void Close()
        {
            Messages.Send(this, "OnDisable");
            DestroyImmediate(this);
        }
    }

    public static class EditorGUILayout
    {
        public static void LabelField(string label, params GUILayoutOption[] options) => GUILayout.Drawn.Add(label);

        public static void LabelField(string label, string label2, params GUILayoutOption[] options) => GUILayout.Drawn.Add($"{label}: {label2}");

        public static void HelpBox(string message, MessageType type) => GUILayout.Drawn.Add($"{type}: {message}");

        public static void Space() { }

        public static string TextField(string label, string text, params GUILayoutOption[] options)
        {
            GUILayout.Drawn.Add($"{label} = {text}");
            return text;
        }

        public static void SelectableLabel(string text, params GUILayoutOption[] options) => GUILayout.Drawn.Add(text);
    }

    public static class EditorGUI
    {
        /// <summary>Greys out what is drawn until it is disposed of.</summary>
        public readonly struct DisabledScope : IDisposable
        {
            private readonly bool _before;

            public DisabledScope(bool disabled)
            {
                _before = GUI.enabled;
                GUI.enabled = _before && !disabled;
            }

            public void Dispose() => GUI.enabled = _before;
        }
    }

    public static class EditorApplication
    {
        public delegate void CallbackFunction();

        public static CallbackFunction? update;

        public static event Action? quitting;
        public static event Action<PlayModeStateChange>? playModeStateChanged;

        public static bool isPlaying { get; set; }

        /// <summary>The shim's own: what the editor does.</summary>
        public static void RaiseQuitting() => quitting?.Invoke();

        public static void RaisePlayModeStateChanged(PlayModeStateChange to) => playModeStateChanged?.Invoke(to);
    }

    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback? beforeAssemblyReload;

        /// <summary>The shim's own: what the editor does.</summary>
        public static void Raise() => beforeAssemblyReload?.Invoke();
    }

    public static class EditorPrefs
    {
        private static readonly Dictionary<string, string> Held = new Dictionary<string, string>();

        public static string GetString(string key, string defaultValue) => Held.TryGetValue(key, out var told) ? told : defaultValue;

        public static void SetString(string key, string value) => Held[key] = value;
    }

    public static class Undo
    {
        public static void RecordObject(UnityEngine.Object objectToUndo, string name) { }
    }

    public static class EditorUtility
    {
        /// <summary>The shim's own: what was marked to be saved.</summary>
        public static HashSet<UnityEngine.Object> Dirty { get; } = new HashSet<UnityEngine.Object>();

        public static void SetDirty(UnityEngine.Object target) => Dirty.Add(target);
    }
}
