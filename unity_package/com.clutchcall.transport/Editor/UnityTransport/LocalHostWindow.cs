// Window > ClutchCall > Local host: starts a relay or host on this machine, and fills in how to join it.
#nullable enable

using ClutchCall.UnityTransport;
using UnityEditor;
using UnityEngine;

namespace ClutchCall.Editor
{
    /// <summary>The window. What it starts ends with the editor, and before scripts are reloaded.</summary>
    public sealed class LocalHostWindow : EditorWindow
    {
        private const string Python = "ClutchCall.Python", Folder = "ClutchCall.Folder", More = "ClutchCall.Arguments";

        [MenuItem("Window/ClutchCall/Local host")]
        private static void Open() => GetWindow<LocalHostWindow>("Local host");

        private void OnEnable() => EditorApplication.update += Tick;

        private void OnDisable() => EditorApplication.update -= Tick;

        // Its output comes by other threads, which nothing repaints for.
        private void Tick() => Repaint();

        private void OnGUI()
        {
            var host = LocalHost.Current;
            bool running = host.IsRunning;
            using (new EditorGUI.DisabledScope(running))
            {
                string python = Field("Python", Python, Application.platform == RuntimePlatform.WindowsEditor ? "python" : "python3");
                string folder = Field("Folder", Folder, "");
                string more = Field("Arguments", More, "");
                if (GUILayout.Button("Start a relay")) host.Start(python, folder, LocalProgram.Relay, more);
                if (GUILayout.Button("Start a host")) host.Start(python, folder, LocalProgram.Host, more);
            }
            using (new EditorGUI.DisabledScope(!running))
                if (GUILayout.Button("Stop")) host.Stop();
            if (host.Problem != "") EditorGUILayout.HelpBox(host.Problem, MessageType.Error);
            if (!host.IsReady) return;
            EditorGUILayout.LabelField("URL", host.Url);
            EditorGUILayout.LabelField("Certificate SHA-256", host.CertificateSha256);
            using (new EditorGUI.DisabledScope(Chosen() == null))
                if (GUILayout.Button("Fill in the selected ClutchCall component")) Fill(Chosen()!, host);
        }

        /// <summary>Has a component meet others there.</summary>
        internal static void Fill(ClutchCallComponent component, LocalHost host)
        {
            Undo.RecordObject(component, "Fill in ClutchCall");
            component.Mode = ClutchCallMode.Relay;
            component.Url = host.Url;
            component.Token = host.Token;
            component.TrustSha256 = host.CertificateSha256;
            component.TrustPem = "";
            EditorUtility.SetDirty(component);
        }

        private static ClutchCallComponent? Chosen()
        {
            var chosen = Selection.activeGameObject;
            return chosen != null && chosen.TryGetComponent(out ClutchCallComponent component) ? component : null;
        }

        private static string Field(string label, string key, string otherwise)
        {
            string held = EditorPrefs.GetString(key, otherwise);
            string told = EditorGUILayout.TextField(label, held);
            if (told != held) EditorPrefs.SetString(key, told);
            return told;
        }
    }
}
