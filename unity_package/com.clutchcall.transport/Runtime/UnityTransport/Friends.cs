// The package's own assemblies that know a netcode package.
#nullable enable

using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("ClutchCall.NGO")]
[assembly: InternalsVisibleTo("ClutchCall.N4E")]
[assembly: InternalsVisibleTo("ClutchCall.UnityTransport.Editor")]
