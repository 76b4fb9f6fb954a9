// Host and Join on the screen, for a NetworkManager with a ClutchCall component beside it. Put it on the same GameObject.
#nullable enable

using ClutchCall.UnityTransport;
using Unity.Netcode;
using UnityEngine;

namespace ClutchCall.Samples.NGO
{
    /// <summary>Two buttons, what became of the connection, and a client that follows its host to the next one.</summary>
    [RequireComponent(typeof(NetworkManager))]
    [RequireComponent(typeof(ClutchCallComponent))]
    public sealed class ClutchCallMenu : MonoBehaviour
    {
        private NetworkManager? _manager;
        private ClutchCallComponent? _link;
        private string _code = "";
        private bool _rejoin;

        private void Start()
        {
            _manager = GetComponent<NetworkManager>();
            _link = GetComponent<ClutchCallComponent>();
            _code = _link.Room;
            // Another host has the room now. NetworkManager is still stopping: what follows waits for that.
            _link.OnHostMigrated.AddListener(_ => _rejoin = true);
        }

        private void Update()
        {
            if (!_rejoin || _manager == null || _manager.IsListening || _manager.ShutdownInProgress) return;
            _rejoin = false;
            _manager.StartClient();
        }

        private void OnGUI()
        {
            if (_manager == null || _link == null) return;
            if (!_manager.IsListening)
            {
                _code = GUILayout.TextField(_code);
                if (_link.Mode == ClutchCallMode.Relay && GUILayout.Button("New code")) _code = ClutchCallComponent.NewJoinCode();
                _link.Room = _code;
                if (GUILayout.Button("Host")) _manager.StartHost();
                if (GUILayout.Button("Join")) _manager.StartClient();
            }
            else if (GUILayout.Button("Leave")) _manager.Shutdown();
            GUILayout.Label($"{_link.State} {_link.Text}");
            if (_link.TryGetStats(out var stats)) GUILayout.Label($"round trip {stats.RttUs / 1000} ms, {stats.Reconnects} reconnects");
        }
    }
}
