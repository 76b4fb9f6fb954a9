// The generated readers for Python, which cannot pass a span.
#nullable enable

using ClutchCall.Core;

namespace ClutchCall.Tests
{
    /// <summary>Bodies and calls from arrays.</summary>
    public static class Bodies
    {
        public static object? Unpack(byte[] data) => Wire.Unpack(data);

        public static Call ReadCall(byte[] data) => ClutchCall.Core.Call.Unpack(data);
    }
}
