// A relay or host on this machine, started by the editor: its process, and what it prints for those who join.
#nullable enable

using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;

namespace ClutchCall.Editor
{
    /// <summary>Which program is started.</summary>
    public enum LocalProgram
    {
        /// <summary>python -m relay: players of Unity meet in a room, and one of them hosts.</summary>
        Relay,
        /// <summary>python -m transport.host: a game in Python is the server.</summary>
        Host,
    }

    /// <summary>The process of a local relay or host. Main thread, but for its output, which other threads bring.</summary>
    public sealed class LocalHost
    {
        private const int MostLines = 200, GraceMs = 3000;

        /// <summary>The editor's one.</summary>
        public static LocalHost Current { get; } = new LocalHost();

        private readonly object _gate = new object();
        private readonly Queue<string> _lines = new Queue<string>();
        private readonly Dictionary<string, string> _told = new Dictionary<string, string>();
        private Process? _process;

        /// <summary>moqt://host:port, once it is printed.</summary>
        public string Url => Told("URL");
        /// <summary>The token that it prints.</summary>
        public string Token => Told("TOKEN");
        /// <summary>The SHA-256 of its certificate.</summary>
        public string CertificateSha256 => Told("CERT_SHA256");
        /// <summary>Why it did not start, or how it ended; empty while it runs.</summary>
        public string Problem { get; private set; } = "";
        /// <summary>Whether it has said how to join.</summary>
        public bool IsReady => IsRunning && Url != "" && CertificateSha256 != "";

        /// <summary>Whether the process is there.</summary>
        public bool IsRunning
        {
            get
            {
                if (_process == null) return false;
                if (!_process.HasExited) return true;
                string last = Last();
                Problem = $"it ended with code {_process.ExitCode}{(last == "" ? "" : $": {last}")}";
                _process.Dispose();
                _process = null;
                return false;
            }
        }

        /// <summary>Starts it; false where that fails, and Problem says why.</summary>
        /// <param name="python">The interpreter, such as python3, or a virtual environment's.</param>
        /// <param name="folder">Where to start it: a checkout of ClutchCall, or any folder where the wheel is installed.</param>
        /// <param name="program">Which one.</param>
        /// <param name="more">Further arguments, as on a command line.</param>
        public bool Start(string python, string folder, LocalProgram program, string more = "")
        {
            if (IsRunning) return true;
            lock (_gate)
            {
                _lines.Clear();
                _told.Clear();
            }
            Problem = "";
            if (folder != "" && !Directory.Exists(folder))
            {
                Problem = $"{folder} is no folder: name a checkout of ClutchCall, or nothing where its wheel is installed";
                return false;
            }
            string module = program == LocalProgram.Relay ? "relay" : "transport.host";
            var start = new ProcessStartInfo
            {
                FileName = python,
                Arguments = $"-u -m {module} --port 0 --control-port 0 --admin-port 0 {more}".TrimEnd(),
                WorkingDirectory = folder,
                UseShellExecute = false,
                CreateNoWindow = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            try
            {
                _process = Process.Start(start);
            }
            catch (Exception wrong) when (wrong is Win32Exception || wrong is FileNotFoundException || wrong is InvalidOperationException)
            {
                Problem = $"{python} cannot be started ({wrong.Message}): name a Python of 3.11 or newer";
                return false;
            }
            if (_process == null) return false;
            _process.OutputDataReceived += (_, one) => Read(one.Data);
            _process.ErrorDataReceived += (_, one) => Read(one.Data);
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
            return true;
        }

        /// <summary>Ends it, at once.</summary>
        public void Stop()
        {
            var process = _process;
            _process = null;
            if (process == null) return;
            try
            {
                if (!process.HasExited) process.Kill();
                process.WaitForExit(GraceMs);
            }
            catch (Exception wrong) when (wrong is InvalidOperationException || wrong is Win32Exception)
            {
                // It has ended by itself meanwhile.
            }
            process.Dispose();
            lock (_gate) _told.Clear();
        }

        /// <summary>The lines that it has printed, the last 200.</summary>
        public string[] Lines()
        {
            lock (_gate) return _lines.ToArray();
        }

        /// <summary>Takes a line of its output.</summary>
        internal void Read(string? line)
        {
            const string mark = "CLUTCHCALL_";
            if (line == null) return;
            lock (_gate)
            {
                _lines.Enqueue(line);
                if (_lines.Count > MostLines) _lines.Dequeue();
                int equals = line.IndexOf('=');
                if (line.StartsWith(mark, StringComparison.Ordinal) && equals > 0)
                    _told[line.Substring(mark.Length, equals - mark.Length)] = line.Substring(equals + 1).Trim();
            }
        }

        private string Told(string name)
        {
            lock (_gate) return _told.TryGetValue(name, out string? value) ? value : "";
        }

        private string Last()
        {
            lock (_gate)
            {
                string last = "";
                foreach (string line in _lines)
                    if (line.Trim() != "") last = line;
                return last;
            }
        }
    }
}
