// Tests make queues of their own, as a driver does.
#nullable enable

using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("ClutchCall.UnityTests")]
