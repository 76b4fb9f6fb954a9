// The sessions' part in what the editor ends.
#nullable enable

using ClutchCall.UnityTransport;
using UnityEditor;

namespace ClutchCall.Editor
{
    [InitializeOnLoad]
    internal static class SessionLifetime
    {
        static SessionLifetime() => Lifetime.Closing += Sessions.CloseAll;
    }
}
