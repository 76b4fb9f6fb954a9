// What the package uses of UnityEngine, Unity.Burst, Unity.Collections and Unity.Jobs, written from their public contracts.
#nullable enable

using System;
using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Unity.Collections.LowLevel.Unsafe;

namespace UnityEngine
{
    /// <summary>The console. Lines are kept until a test takes them.</summary>
    public static class Debug
    {
        private static readonly ConcurrentQueue<string> Lines = new ConcurrentQueue<string>();

        public static void Log(object message) => Lines.Enqueue($"info: {message}");

        public static void LogWarning(object message) => Lines.Enqueue($"warning: {message}");

        public static void LogError(object message) => Lines.Enqueue($"error: {message}");

        public static void LogException(Exception exception) => Lines.Enqueue($"exception: {exception}");

        /// <summary>The shim's own: what was logged since the last call, each line with its level before it.</summary>
        public static string[] Take()
        {
            var taken = new System.Collections.Generic.List<string>();
            while (Lines.TryDequeue(out var line)) taken.Add(line);
            return taken.ToArray();
        }
    }

    public enum RuntimeInitializeLoadType
    {
        AfterSceneLoad,
        BeforeSceneLoad,
        AfterAssembliesLoaded,
        BeforeSplashScreen,
        SubsystemRegistration,
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType loadType) => this.loadType = loadType;

        public RuntimeInitializeLoadType loadType { get; }

        /// <summary>The shim's own: calls what an assembly has marked, as the engine does when play mode is entered.</summary>
        public static int Run(Assembly assembly, RuntimeInitializeLoadType type)
        {
            const BindingFlags any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
            int count = 0;
            foreach (var one in assembly.GetTypes())
                foreach (var method in one.GetMethods(any))
                    if (method.GetCustomAttribute<RuntimeInitializeOnLoadMethodAttribute>()?.loadType == type)
                    {
                        method.Invoke(null, null);
                        count++;
                    }
            return count;
        }
    }

    public enum RuntimePlatform
    {
        WindowsEditor = 7,
        LinuxEditor = 16,
    }

    public static class Application
    {
        public static RuntimePlatform platform => RuntimePlatform.LinuxEditor;

        /// <summary>Raised when the player quits, and at the end of play mode.</summary>
        public static event Action? quitting;

        /// <summary>The shim's own: quits.</summary>
        public static void RaiseQuitting() => quitting?.Invoke();
    }
}

namespace Unity.Burst
{
    /// <summary>Marks what Burst may compile; here it stays managed code.</summary>
    [AttributeUsage(AttributeTargets.Struct | AttributeTargets.Class | AttributeTargets.Method)]
    public sealed class BurstCompileAttribute : Attribute { }

    /// <summary>Marks what Burst leaves out.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class BurstDiscardAttribute : Attribute { }
}

namespace Unity.Collections
{
    public enum Allocator
    {
        Invalid = 0,
        None = 1,
        Temp = 2,
        TempJob = 3,
        Persistent = 4,
    }

    /// <summary>Whether the editor's checks (ENABLE_UNITY_COLLECTIONS_CHECKS) are on; the shim's own switch.</summary>
    public static class Checks
    {
        public static bool Enabled { get; set; } = true;
    }

    /// <summary>Unmanaged memory with a length, shared by its copies. Temp memory is the frame's and needs no Dispose.</summary>
    public unsafe struct NativeArray<T> : IDisposable where T : unmanaged
    {
        [NativeDisableUnsafePtrRestriction] private T* _at;
        private readonly Allocator _allocator;

        public NativeArray(int length, Allocator allocator)
        {
            if (allocator <= Allocator.None) throw new ArgumentException("Allocator must be Temp, TempJob or Persistent");
            if (length < 0) throw new ArgumentOutOfRangeException(nameof(length));
            // Temp memory is a few bytes of an address here, and goes back with its thread's next frame.
            _at = (T*)(allocator == Allocator.Temp ? Frame(length * sizeof(T)) : Marshal.AllocHGlobal(length * sizeof(T)));
            new Span<byte>(_at, length * sizeof(T)).Clear();
            (Length, _allocator) = (length, allocator);
        }

        public NativeArray(T[] array, Allocator allocator) : this(array.Length, allocator)
        {
            for (int at = 0; at < array.Length; at++) _at[at] = array[at];
        }

        public int Length { get; }

        public bool IsCreated => _at != null;

        public T[] ToArray() => new Span<T>(_at, Length).ToArray();

        public T this[int index]
        {
            get => _at[Checked(index)];
            set => _at[Checked(index)] = value;
        }

        public void Dispose()
        {
            if (_at == null) throw new ObjectDisposedException("The NativeArray has been disposed, or was never allocated");
            if (_allocator != Allocator.Temp) Marshal.FreeHGlobal((IntPtr)_at);
            _at = null;
        }

        private int Checked(int index)
        {
            if (Checks.Enabled && (uint)index >= (uint)Length) throw new IndexOutOfRangeException($"{index} of {Length}");
            return index;
        }

        private static IntPtr Frame(int bytes)
        {
            if (bytes > TempMemory.Bytes) throw new OutOfMemoryException($"{bytes} bytes of Temp memory");
            return TempMemory.Take(bytes);
        }
    }

    /// <summary>A thread's Temp memory: a ring.</summary>
    internal static class TempMemory
    {
        public const int Bytes = 65536;
        [ThreadStatic] private static IntPtr s_at;
        [ThreadStatic] private static int s_used;

        public static IntPtr Take(int bytes)
        {
            if (s_at == IntPtr.Zero) s_at = Marshal.AllocHGlobal(Bytes);
            int rounded = (bytes + 15) & ~15;
            if (s_used + rounded > Bytes) s_used = 0;
            s_used += rounded;
            return s_at + s_used - rounded;
        }
    }
}

namespace Unity.Collections.LowLevel.Unsafe
{
    /// <summary>Lets a job have a pointer as a field.</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class NativeDisableUnsafePtrRestrictionAttribute : Attribute { }
}

namespace Unity.Jobs
{
    public interface IJob
    {
        void Execute();
    }

    /// <summary>A job under way. Unmanaged, as Unity's is: what it stands for is in a table.</summary>
    public readonly struct JobHandle
    {
        private readonly ulong _id;

        internal JobHandle(ulong id) => _id = id;

        public bool IsCompleted => JobRunner.IsDone(_id);

        public void Complete() => JobRunner.Wait(_id);
    }

    public static class IJobExtensions
    {
        /// <summary>Runs a copy of the job once what it depends on is done.</summary>
        public static JobHandle Schedule<T>(this T jobData, JobHandle dependsOn = default) where T : struct, IJob
        {
            JobFields<T>.Check();
            return JobRunner.Run(jobData, dependsOn);
        }
    }

    /// <summary>Refuses jobs with pointer fields or references, as Unity's reflection does.</summary>
    internal static class JobFields<T>
    {
        private static readonly string? Wrong = Find(typeof(T), typeof(T).Name);

        public static void Check()
        {
            if (Wrong != null) throw new InvalidOperationException(Wrong);
        }

        private static string? Find(Type type, string path)
        {
            const BindingFlags all = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            foreach (var field in type.GetFields(all))
            {
                var kind = field.FieldType;
                string name = $"{path}.{field.Name}";
                if (field.GetCustomAttribute<NativeDisableUnsafePtrRestrictionAttribute>() != null) continue;
                if (kind.IsPointer || kind == typeof(IntPtr) || kind == typeof(UIntPtr))
                    return $"{name} uses unsafe Pointers which is not allowed.";
                if (!kind.IsValueType) return $"{name} is not a value type. Job structs may not contain any reference types.";
                if (kind.IsPrimitive || kind.IsEnum || field.GetCustomAttribute<FixedBufferAttribute>() != null) continue;
                var inside = Find(kind, name);
                if (inside != null) return inside;
            }
            return null;
        }
    }

    /// <summary>The shim's own: where jobs run, and those under way. A job that throws is logged, as in Unity, and stops nothing.</summary>
    public static class JobRunner
    {
        private static readonly ConcurrentDictionary<ulong, Task> Running = new ConcurrentDictionary<ulong, Task>();
        private static long s_last;

        /// <summary>On the thread pool, any thread of it; otherwise within Schedule.</summary>
        public static bool Threaded { get; set; }

        internal static JobHandle Run<T>(T job, JobHandle after) where T : struct, IJob
        {
            if (Threaded) return Later(job, after);
            after.Complete();
            Try(job);
            return default;
        }

        // Apart, as a method that captures allocates even where it does not come to it.
        private static JobHandle Later<T>(T job, JobHandle after) where T : struct, IJob => Then(after, () => Try(job));

        /// <summary>Work of the shim itself, after a job.</summary>
        internal static JobHandle Then(JobHandle after, Action work)
        {
            if (!Threaded)
            {
                after.Complete();
                work();
                return default;
            }
            ulong id = (ulong)Interlocked.Increment(ref s_last);
            Running[id] = Task.Run(() =>
            {
                after.Complete();
                work();
            });
            return new JobHandle(id);
        }

        internal static bool IsDone(ulong id) => !Running.TryGetValue(id, out var task) || task.IsCompleted;

        internal static void Wait(ulong id)
        {
            if (id == 0 || !Running.TryGetValue(id, out var task)) return;
            task.Wait();
            Running.TryRemove(id, out _);
        }

        private static void Try<T>(T job) where T : struct, IJob
        {
            try
            {
                job.Execute();
            }
            catch (Exception exception)
            {
                UnityEngine.Debug.LogException(exception);
            }
        }
    }
}
