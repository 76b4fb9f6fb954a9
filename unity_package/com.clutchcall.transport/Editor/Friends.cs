// The editor's other assembly, which is there where Unity Transport is.
#nullable enable

using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("ClutchCall.UnityTransport.Editor")]
