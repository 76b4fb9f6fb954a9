// The package's own assemblies that share Core's way of calling the native core.
#nullable enable

using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("ClutchCall.UnityTransport")]
[assembly: InternalsVisibleTo("ClutchCall.NGO")]
