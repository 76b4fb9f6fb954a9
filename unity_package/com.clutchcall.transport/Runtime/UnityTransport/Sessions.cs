// The sessions of this process, and the one thread that takes in their events while main threads sleep.
#nullable enable

using System;
using System.Collections.Generic;
using System.Threading;
using ClutchCall.Core;
using UnityEngine;

namespace ClutchCall.UnityTransport
{
    /// <summary>Finds sessions by their number, and closes all of them before scripts are reloaded, at quit and when play begins.</summary>
    internal static unsafe class Sessions
    {
        private const int KeeperMs = 10;

        private static readonly Dictionary<int, ClutchCallSession> Known = new Dictionary<int, ClutchCallSession>();
        private static ClutchCallSession[] s_all = Array.Empty<ClutchCallSession>();
        private static int s_last;
        private static Thread? s_keeper;

        static Sessions()
        {
            AppDomain.CurrentDomain.DomainUnload += (_, __) => CloseAll();
            AppDomain.CurrentDomain.ProcessExit += (_, __) => CloseAll();
            Application.quitting += () =>
            {
                CloseAll();
                NativeCore.CloseAll();
            };
        }

        /// <summary>A number for a session that its application has made.</summary>
        public static int Register(ClutchCallSession session)
        {
            lock (Known)
            {
                Known[++s_last] = session;
                Renew();
                return s_last;
            }
        }

        /// <summary>An interface begins: on the session that its parameter names, or on one of its own. Its number.</summary>
        public static int Begin(in ClutchCallParameter parameter, Shared* shared)
        {
            var session = Find(parameter.Session);
            if (session == null || !session.Begin(parameter, shared))
            {
                session = new ClutchCallSession();
                session.Begin(parameter, shared);
            }
            lock (Known)
            {
                if (s_keeper == null && !Surroundings.AreTold)
                {
                    s_keeper = new Thread(Keep) { IsBackground = true, Name = "ClutchCall keeper" };
                    s_keeper.Start();
                }
            }
            return session.Id;
        }

        public static ClutchCallSession? Find(int id)
        {
            lock (Known) return Known.TryGetValue(id, out var session) ? session : null;
        }

        /// <summary>The interface is disposed of.</summary>
        public static void End(int id)
        {
            Find(id)?.End();
            lock (Known)
            {
                Known.Remove(id);
                Renew();
            }
        }

        /// <summary>Closes every handle that is open. What interfaces are left do nothing from then on.</summary>
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        public static void CloseAll()
        {
            foreach (var session in s_all) session.Close();
            Takeovers.Forget();
        }

        /// <summary>The sessions as an array, which is read without the lock.</summary>
        private static void Renew()
        {
            var all = new ClutchCallSession[Known.Count];
            Known.Values.CopyTo(all, 0);
            Volatile.Write(ref s_all, all);
        }

        /// <summary>The keeper: ends when there is no session left to keep.</summary>
        private static void Keep()
        {
            while (true)
            {
                Thread.Sleep(KeeperMs);
                bool any = false;
                foreach (var session in Volatile.Read(ref s_all)) any |= session.Keep();
                if (any) continue;
                lock (Known)
                {
                    bool open = false;
                    foreach (var session in Known.Values) open |= session.IsOpen;
                    if (open) continue;
                    s_keeper = null;
                    return;
                }
            }
        }
    }
}
