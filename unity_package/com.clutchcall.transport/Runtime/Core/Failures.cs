// A native call's status as an exception, and text on its way across the boundary.
#nullable enable

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace ClutchCall.Core
{
    /// <summary>A call that the native core refused. Its message says what, where, and what to do.</summary>
    public sealed class ClutchCallException : Exception
    {
        /// <summary>Whose fault: 1xx the caller's, 2xx the machine's, 9xx the core's own.</summary>
        public CcStatus Status { get; }

        /// <summary>An exception for a status, in words.</summary>
        public ClutchCallException(CcStatus status, string message) : base(message) => Status = status;
    }

    /// <summary>What every call through the C ABI does before and after.</summary>
    internal static unsafe class Failures
    {
        /// <summary>Throws if a call, made on this thread just now, has failed.</summary>
        public static void Check(int status)
        {
            if (status != (int)CcStatus.Ok) Throw(status);
        }

        private static void Throw(int status)
        {
            const int most = 4096;
            byte* text = stackalloc byte[most];
            uint length;
            bool told = Native.LastError(text, most, &length) == (int)CcStatus.Ok && length > 0;
            throw new ClutchCallException((CcStatus)status, told ? Read(text, length) : $"status {status}");
        }

        /// <summary>A text of the core's as a string.</summary>
        public static string Read(byte* text, uint length) =>
            length == 0 ? "" : Encoding.UTF8.GetString(text, (int)length);

        /// <summary>A span of time in whole units of so many ticks, which have to fit 32 bits.</summary>
        public static uint Count(TimeSpan time, long ticks, string name)
        {
            long count = time.Ticks / ticks;
            if (time.Ticks < 0 || count > uint.MaxValue)
                throw new ArgumentOutOfRangeException(name, time, "is negative or too long");
            // What is more than nothing stays so: 0 would mean the default.
            return count == 0 && time.Ticks > 0 ? 1 : (uint)count;
        }
    }

    /// <summary>Strings and bytes as the C ABI takes them, good until it is disposed. For calls that open things.</summary>
    internal sealed unsafe class Texts : IDisposable
    {
        private readonly List<IntPtr> _held = new List<IntPtr>();

        /// <summary>A string as UTF-8; none for null.</summary>
        public CcStr Add(string? text) => text == null ? default : Add(Encoding.UTF8.GetBytes(text));

        /// <summary>Bytes as they are; none for null.</summary>
        public CcStr Add(byte[]? bytes)
        {
            if (bytes == null || bytes.Length == 0) return default;
            var at = Marshal.AllocHGlobal(bytes.Length);
            _held.Add(at);
            Marshal.Copy(bytes, 0, at, bytes.Length);
            return new CcStr { Ptr = (byte*)at, Len = (uint)bytes.Length };
        }

        /// <summary>Frees what was added.</summary>
        public void Dispose()
        {
            foreach (var at in _held) Marshal.FreeHGlobal(at);
            _held.Clear();
        }
    }
}
