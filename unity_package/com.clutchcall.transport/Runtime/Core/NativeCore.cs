// The native library as a whole: whether it is there and of this release, and what is open in it.
#nullable enable

using System;
using System.Collections.Generic;

namespace ClutchCall.Core
{
    /// <summary>What a program asks of the native core before it uses it, and when it leaves.</summary>
    public static unsafe class NativeCore
    {
        private static readonly HashSet<ulong> Open = new HashSet<ulong>();
        private static bool s_checked;

        static NativeCore()
        {
            AppDomain.CurrentDomain.DomainUnload += (_, __) => CloseAll();
            AppDomain.CurrentDomain.ProcessExit += (_, __) => CloseAll();
        }

        /// <summary>Checks that the native library can be loaded, and speaks this package's ABI.</summary>
        /// <exception cref="ClutchCallException">It cannot (Io), or does not (VersionMismatch); its words say what to do.</exception>
        public static void Check()
        {
            if (s_checked) return;
            var version = CcVersion.Create();
            int status;
            try
            {
                status = Native.Version(&version);
            }
            catch (Exception none)
                when (none is DllNotFoundException || none is EntryPointNotFoundException || none is BadImageFormatException)
            {
                throw new ClutchCallException(
                    CcStatus.Io,
                    $"the native library {Native.Library} is not there for this platform, or is damaged: "
                    + "install the package from its .tgz or its release branch, which have it inside");
            }
            Failures.Check(status);
            string? wrong = version.Abi != Constants.AbiVersion ? $"speaks ABI {version.Abi}, this package {Constants.AbiVersion}"
                : !HasNewest() ? "is of an older release than this package"
                : null;
            if (wrong != null)
                throw new ClutchCallException(
                    CcStatus.VersionMismatch,
                    $"the native core {wrong}: install both from one release, and restart the editor, which keeps the library "
                    + "that it has loaded");
            s_checked = true;
        }

        /// <summary>Closes every node, encoder and decoder of this assembly, before scripts are reloaded and at quit.</summary>
        public static void CloseAll()
        {
            ulong[] all;
            lock (Open)
            {
                all = new ulong[Open.Count];
                Open.CopyTo(all);
                Open.Clear();
            }
            foreach (ulong handle in all) End(handle);
        }

        internal static void Opened(ulong handle)
        {
            lock (Open) Open.Add(handle);
        }

        /// <summary>Closes one, unless all were closed before.</summary>
        internal static void Close(ulong handle)
        {
            lock (Open)
                if (!Open.Remove(handle)) return;
            End(handle);
        }

        /// <summary>Whether the library has the function that came last: ABIs of one number grow.</summary>
        private static bool HasNewest()
        {
            try
            {
                Native.OpusClose(0);
                return true;
            }
            catch (EntryPointNotFoundException)
            {
                return false;
            }
        }

        private static void End(ulong handle)
        {
            // A handle is of one kind: the core answers the other call with BAD_HANDLE, and does nothing.
            if (Native.NodeClose(handle) == (int)CcStatus.BadHandle) Native.OpusClose(handle);
        }
    }
}
