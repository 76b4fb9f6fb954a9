// Unity.Networking.Transport: what an interface is given, written from the public contract.
#nullable enable

using System;
using System.Runtime.InteropServices;
using Unity.Collections;
using Unity.Collections.LowLevel.Unsafe;
using Unity.Jobs;

namespace Unity.Networking.Transport
{
    namespace Error
    {
        public enum StatusCode
        {
            Success = 0,
            NetworkStateMismatch = -3,
            NetworkPacketOverflow = -4,
            NetworkSendQueueFull = -5,
            NetworkReceiveQueueFull = -10,
            NetworkSocketError = -11,
        }

        public enum DisconnectReason : byte
        {
            Default = 0,
            Timeout = 1,
            MaxConnectionAttempts = 2,
            ClosedByRemote = 3,
        }
    }

    /// <summary>What carries a driver's packets. Implemented by unmanaged structs.</summary>
    public interface INetworkInterface : IDisposable
    {
        NetworkEndpoint LocalEndpoint { get; }

        int Initialize(ref NetworkSettings settings, ref int packetPadding);

        JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep);

        JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep);

        int Bind(NetworkEndpoint endpoint);

        int Listen();
    }

    public struct ReceiveJobArguments
    {
        public PacketsQueue ReceiveQueue;
        public OperationResult ReceiveResult;
        public long Time;
    }

    public struct SendJobArguments
    {
        public PacketsQueue SendQueue;
        public long Time;
    }

    /// <summary>What became of a receive. Its copies share one number; setting any but 0 logs an error.</summary>
    public unsafe struct OperationResult
    {
        [NativeDisableUnsafePtrRestriction] private readonly int* _code;

        internal OperationResult(int* code) => _code = code;

        public int ErrorCode
        {
            get => *_code;
            set
            {
                *_code = value;
                if (value != 0) UnityEngine.Debug.LogError($"Receive error {value}");
            }
        }
    }

    /// <summary>Packets in unmanaged memory; copies of the struct share it.</summary>
    public unsafe struct PacketsQueue
    {
        /// <summary>Bytes before a payload that a lower layer may use; an offset that a careless interface forgets.</summary>
        internal const int Padding = 16;

        [NativeDisableUnsafePtrRestriction] private Header* _at;

        private struct Header
        {
            public int Capacity, Count, Room;
        }

        internal struct Slot
        {
            public NetworkEndpoint Endpoint;
            public int Offset, Length;
        }

        internal static PacketsQueue Create(int capacity, int payload)
        {
            int room = Padding + payload;
            int bytes = sizeof(Header) + capacity * (sizeof(Slot) + room);
            var at = (Header*)Marshal.AllocHGlobal(bytes);
            *at = new Header { Capacity = capacity, Room = room };
            return new PacketsQueue { _at = at };
        }

        public readonly int Count => _at->Count;

        public readonly int Capacity => _at->Capacity;

        public readonly PacketProcessor this[int index]
        {
            get
            {
                if ((uint)index >= (uint)_at->Count) throw new IndexOutOfRangeException($"{index} of {_at->Count}");
                return new PacketProcessor(Slots + index, Buffer(index), _at->Room);
            }
        }

        /// <summary>An empty packet at the end, unless the queue is full.</summary>
        public bool EnqueuePacket(out PacketProcessor packet)
        {
            packet = default;
            if (_at->Count == _at->Capacity) return false;
            int index = _at->Count++;
            Slots[index] = new Slot { Offset = Padding };
            packet = this[index];
            return true;
        }

        internal void Clear() => _at->Count = 0;

        internal void Free() => Marshal.FreeHGlobal((IntPtr)_at);

        private readonly Slot* Slots => (Slot*)(_at + 1);

        private readonly byte* Buffer(int index) => (byte*)(Slots + _at->Capacity) + index * _at->Room;
    }

    /// <summary>One packet of a queue.</summary>
    public unsafe struct PacketProcessor
    {
        [NativeDisableUnsafePtrRestriction] private readonly PacketsQueue.Slot* _slot;
        [NativeDisableUnsafePtrRestriction] private readonly byte* _buffer;
        private readonly int _room;

        internal PacketProcessor(PacketsQueue.Slot* slot, byte* buffer, int room)
        {
            _slot = slot;
            _buffer = buffer;
            _room = room;
        }

        public int Length => _slot->Length;

        public int Offset => _slot->Offset;

        public int BytesAvailableAtEnd => _room - _slot->Offset - _slot->Length;

        public ref NetworkEndpoint EndpointRef => ref _slot->Endpoint;

        /// <summary>The buffer's start: the payload is at Offset in it.</summary>
        public void* GetUnsafePayloadPtr() => _buffer;

        /// <summary>Adds to the payload; throws under checks if it has no room, and otherwise logs.</summary>
        public void AppendToPayload(void* dataPtr, int size)
        {
            if (size > BytesAvailableAtEnd)
            {
                if (Checks.Enabled) throw new ArgumentException($"{size} bytes exceed the {BytesAvailableAtEnd} available");
                UnityEngine.Debug.LogError("The requested data size does not fit at the end of the payload");
                return;
            }
            System.Buffer.MemoryCopy(dataPtr, _buffer + _slot->Offset + _slot->Length, BytesAvailableAtEnd, size);
            SetUnsafeMetadata(_slot->Length + size);
        }

        public void Drop() => SetUnsafeMetadata(0);

        internal void SetUnsafeMetadata(int size) => _slot->Length = size;
    }
}
