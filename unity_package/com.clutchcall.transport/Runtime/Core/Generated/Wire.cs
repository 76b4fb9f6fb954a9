// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
// MessagePack for the control stack's bodies, and checks of values by type: only what the IDL's types need.
// Every length is checked against what is left before anything is built; nesting is bounded.
#nullable enable

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;

namespace ClutchCall.Core
{
    /// <summary>A body that is not what the IDL says: the sender's fault, or the caller's when writing.</summary>
    public sealed class WireException : Exception
    {
        /// <summary>Path of the value at fault.</summary>
        public string Path { get; }

        public WireException(string path, string message) : base($"{path}: {message}") => Path = path;
    }

    /// <summary>What every DTO is.</summary>
    public interface IWireBody
    {
        /// <summary>Writes the DTO as a map by field name; WireException if a value cannot be written.</summary>
        void Write(WireWriter to);
    }

    /// <summary>Writes MessagePack in its shortest form; floats always take 64 bits.</summary>
    public sealed class WireWriter
    {
        private byte[] _bytes = new byte[256];
        private int _length;

        /// <summary>What has been written.</summary>
        public byte[] ToArray() => _bytes.AsSpan(0, _length).ToArray();

        /// <summary>Begins a map of so many entries; each is a Key and a value.</summary>
        public void Map(int count) => Head(count, 0x80, 15, 0, 0xDE, 0xDF);

        /// <summary>Begins a map of a dictionary's size.</summary>
        public void Map<T>(Dictionary<string, T>? of, string path) => Map(Present(of, path).Count);

        /// <summary>Begins a list of so many items.</summary>
        public void List(int count) => Head(count, 0x90, 15, 0, 0xDC, 0xDD);

        /// <summary>Begins a list of a list's size.</summary>
        public void List<T>(List<T>? of, string path) => List(Present(of, path).Count);

        /// <summary>Writes an entry's key.</summary>
        public void Key(string key) => Text(key, key);

        /// <summary>Writes a DTO.</summary>
        public void Body(IWireBody? body, string path) => Present(body, path).Write(this);

        /// <summary>Writes a string, which must be one of values if there are any.</summary>
        public void Text(string? value, string path, params string[] values)
        {
            byte[] utf8;
            try
            {
                utf8 = Wire.Utf8.GetBytes(Wire.OneOf(Present(value, path), path, values));
            }
            catch (EncoderFallbackException)
            {
                throw new WireException(path, "is no valid Unicode");
            }
            Head(utf8.Length, 0xA0, 31, 0xD9, 0xDA, 0xDB);
            utf8.CopyTo(Take(utf8.Length));
        }

        /// <summary>Writes bytes.</summary>
        public void Raw(byte[]? value, string path)
        {
            var bytes = Present(value, path);
            Head(bytes.Length, 0, -1, 0xC4, 0xC5, 0xC6);
            bytes.CopyTo(Take(bytes.Length));
        }

        /// <summary>Writes a truth value.</summary>
        public void Truth(bool value, string path) => Put(value ? 0xC3 : 0xC2);

        /// <summary>Writes a finite number.</summary>
        public void Number(double value, string path)
        {
            if (double.IsNaN(value) || double.IsInfinity(value)) throw new WireException(path, "must be finite");
            Put(0xCB);
            BinaryPrimitives.WriteInt64BigEndian(Take(8), BitConverter.DoubleToInt64Bits(value));
        }

        /// <summary>Writes an integer within Wire.MaxInteger.</summary>
        public void Integer(long value, string path)
        {
            Wire.Range(value, path);
            if (value >= 0 && value <= uint.MaxValue) Unsigned((uint)value);
            else if (value >= 0)
            {
                Put(0xCF);
                BinaryPrimitives.WriteInt64BigEndian(Take(8), value);
            }
            else if (value >= -32) Put((byte)value);
            else if (value >= sbyte.MinValue)
            {
                Put(0xD0);
                Put((byte)value);
            }
            else if (value >= short.MinValue)
            {
                Put(0xD1);
                BinaryPrimitives.WriteInt16BigEndian(Take(2), (short)value);
            }
            else if (value >= int.MinValue)
            {
                Put(0xD2);
                BinaryPrimitives.WriteInt32BigEndian(Take(4), (int)value);
            }
            else
            {
                Put(0xD3);
                BinaryPrimitives.WriteInt64BigEndian(Take(8), value);
            }
        }

        private void Unsigned(uint value) => Sized(value, 0, 127, 0xCC, 0xCD, 0xCE);

        private void Head(int count, int tiny, int tinyMost, int one, int two, int four) =>
            Sized((uint)count, tiny, tinyMost, one, two, four);

        /// <summary>A number in the code itself, or behind it in one (if there is such a code), two or four bytes.</summary>
        private void Sized(uint value, int tiny, int tinyMost, int one, int two, int four)
        {
            if (value <= tinyMost) Put(tiny | (int)value);
            else if (value <= byte.MaxValue && one != 0)
            {
                Put(one);
                Put((int)value);
            }
            else if (value <= ushort.MaxValue)
            {
                Put(two);
                BinaryPrimitives.WriteUInt16BigEndian(Take(2), (ushort)value);
            }
            else
            {
                Put(four);
                BinaryPrimitives.WriteUInt32BigEndian(Take(4), value);
            }
        }

        private void Put(int value) => Take(1)[0] = (byte)value;

        private Span<byte> Take(int count)
        {
            if (_bytes.Length - _length < count)
                Array.Resize(ref _bytes, Math.Max(checked(_length + count), _bytes.Length * 2));
            _length += count;
            return _bytes.AsSpan(_length - count, count);
        }

        private static T Present<T>(T? value, string path) where T : class =>
            value ?? throw new WireException(path, "must not be null");
    }

    /// <summary>Reads MessagePack into strings, longs, doubles, bools, byte arrays, lists and maps, and checks them.</summary>
    public static class Wire
    {
        /// <summary>Largest magnitude of an integer: what JSON and JavaScript hold exactly.</summary>
        public const long MaxInteger = (1L << 53) - 1;

        /// <summary>Lists and maps within each other at most.</summary>
        public const int MaxDepth = 16;

        internal static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        /// <summary>The one value in data; bytes behind it are an error.</summary>
        public static object? Unpack(ReadOnlySpan<byte> data)
        {
            var rest = data;
            var value = Value(ref rest, 0);
            if (!rest.IsEmpty) throw new WireException("$", $"{rest.Length} bytes follow the value");
            return value;
        }

        /// <summary>A DTO as MessagePack.</summary>
        public static byte[] Pack(IWireBody body)
        {
            var to = new WireWriter();
            to.Body(body, "$");
            return to.ToArray();
        }

        /// <summary>value as a string, one of values if there are any.</summary>
        public static string Text(object? value, string path, params string[] values) =>
            value is string text ? OneOf(text, path, values) : throw Other(value, path, "a string");

        /// <summary>value as an integer within MaxInteger.</summary>
        public static long Integer(object? value, string path) =>
            value is long integer ? Range(integer, path) : throw Other(value, path, "an integer");

        /// <summary>value as a finite number; an integer is one too.</summary>
        public static double Number(object? value, string path)
        {
            if (value is long integer) return Range(integer, path);
            if (!(value is double number)) throw Other(value, path, "a number");
            if (double.IsNaN(number) || double.IsInfinity(number)) throw new WireException(path, "must be finite");
            return number;
        }

        /// <summary>value as a truth value.</summary>
        public static bool Truth(object? value, string path) =>
            value is bool truth ? truth : throw Other(value, path, "true or false");

        /// <summary>value as bytes.</summary>
        public static byte[] Raw(object? value, string path) =>
            value is byte[] bytes ? bytes : throw Other(value, path, "bytes");

        /// <summary>value as a list, each item read by one.</summary>
        public static List<T> List<T>(object? value, string path, Func<object?, string, T> one)
        {
            if (!(value is List<object?> items)) throw Other(value, path, "a list");
            var made = new List<T>(items.Count);
            for (var at = 0; at < items.Count; at++) made.Add(one(items[at], $"{path}[{at}]"));
            return made;
        }

        /// <summary>value as a map by string, each value read by one.</summary>
        public static Dictionary<string, T> Map<T>(object? value, string path, Func<object?, string, T> one)
        {
            var made = new Dictionary<string, T>();
            foreach (var item in Fields(value, path)) made.Add(item.Key, one(item.Value, $"{path}.{item.Key}"));
            return made;
        }

        /// <summary>value as a map by string.</summary>
        public static Dictionary<string, object?> Fields(object? value, string path) =>
            value is Dictionary<string, object?> fields ? fields : throw Other(value, path, "a map");

        /// <summary>A field's value; it must be there.</summary>
        public static object? Required(Dictionary<string, object?> of, string key, string path) =>
            of.TryGetValue(key, out var value) ? value : throw new WireException($"{path}.{key}", "is missing");

        /// <summary>A field's value, or null.</summary>
        public static object? Optional(Dictionary<string, object?> of, string key) =>
            of.TryGetValue(key, out var value) ? value : null;

        internal static string OneOf(string value, string path, string[] values)
        {
            if (values.Length == 0 || Array.IndexOf(values, value) >= 0) return value;
            throw new WireException(path, $"must be one of {string.Join(", ", values)}");
        }

        internal static long Range(long value, string path) =>
            value <= MaxInteger && value >= -MaxInteger
                ? value
                : throw new WireException(path, $"{value} is beyond 2^53 - 1");

        private static WireException Other(object? value, string path, string wanted)
        {
            var is_ = value switch
            {
                null => "nil", string _ => "a string", long _ => "an integer", double _ => "a number",
                bool _ => "a truth value", byte[] _ => "bytes", List<object?> _ => "a list", _ => "a map",
            };
            return new WireException(path, $"must be {wanted}, is {is_}");
        }

        private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, long count)
        {
            if (count > rest.Length) throw new WireException("$", $"ends {rest.Length} bytes into {count} wanted");
            var taken = rest.Slice(0, (int)count);
            rest = rest.Slice((int)count);
            return taken;
        }

        private static ulong Unsigned(ref ReadOnlySpan<byte> rest, int size)
        {
            ulong value = 0;
            foreach (var one in Take(ref rest, size)) value = value << 8 | one;
            return value;
        }

        private static object? Value(ref ReadOnlySpan<byte> rest, int depth)
        {
            if (depth > MaxDepth) throw new WireException("$", $"is nested deeper than {MaxDepth}");
            int code = Take(ref rest, 1)[0];
            if (code <= 0x7F) return (long)code;
            if (code >= 0xE0) return (long)(sbyte)code;
            if (code <= 0x8F) return MapOf(ref rest, code & 0x0F, depth);
            if (code <= 0x9F) return ListOf(ref rest, code & 0x0F, depth);
            if (code <= 0xBF) return TextOf(ref rest, code & 0x1F);
            switch (code)
            {
                case 0xC0: return null;
                case 0xC2: return false;
                case 0xC3: return true;
                case 0xC4: return Take(ref rest, (long)Unsigned(ref rest, 1)).ToArray();
                case 0xC5: return Take(ref rest, (long)Unsigned(ref rest, 2)).ToArray();
                case 0xC6: return Take(ref rest, (long)Unsigned(ref rest, 4)).ToArray();
                case 0xCA: return (double)BitConverter.Int32BitsToSingle((int)Unsigned(ref rest, 4));
                case 0xCB: return BitConverter.Int64BitsToDouble((long)Unsigned(ref rest, 8));
                case 0xCC: return (long)Unsigned(ref rest, 1);
                case 0xCD: return (long)Unsigned(ref rest, 2);
                case 0xCE: return (long)Unsigned(ref rest, 4);
                case 0xCF:
                    var large = Unsigned(ref rest, 8);
                    if (large > (ulong)MaxInteger) throw new WireException("$", $"{large} is beyond 2^53 - 1");
                    return (long)large;
                case 0xD0: return (long)(sbyte)Unsigned(ref rest, 1);
                case 0xD1: return (long)(short)Unsigned(ref rest, 2);
                case 0xD2: return (long)(int)Unsigned(ref rest, 4);
                case 0xD3: return (long)Unsigned(ref rest, 8);
                case 0xD9: return TextOf(ref rest, (long)Unsigned(ref rest, 1));
                case 0xDA: return TextOf(ref rest, (long)Unsigned(ref rest, 2));
                case 0xDB: return TextOf(ref rest, (long)Unsigned(ref rest, 4));
                case 0xDC: return ListOf(ref rest, (long)Unsigned(ref rest, 2), depth);
                case 0xDD: return ListOf(ref rest, (long)Unsigned(ref rest, 4), depth);
                case 0xDE: return MapOf(ref rest, (long)Unsigned(ref rest, 2), depth);
                case 0xDF: return MapOf(ref rest, (long)Unsigned(ref rest, 4), depth);
                default: throw new WireException("$", $"has a byte 0x{code:x2}, which no type of the IDL uses");
            }
        }

        private static string TextOf(ref ReadOnlySpan<byte> rest, long count)
        {
            try
            {
                return Utf8.GetString(Take(ref rest, count));
            }
            catch (DecoderFallbackException)
            {
                throw new WireException("$", "a string is not UTF-8");
            }
        }

        private static List<object?> ListOf(ref ReadOnlySpan<byte> rest, long count, int depth)
        {
            if (count > rest.Length) throw new WireException("$", $"a list of {count} is longer than the body");
            var made = new List<object?>((int)count);
            for (long at = 0; at < count; at++) made.Add(Value(ref rest, depth + 1));
            return made;
        }

        private static Dictionary<string, object?> MapOf(ref ReadOnlySpan<byte> rest, long count, int depth)
        {
            if (count * 2 > rest.Length) throw new WireException("$", $"a map of {count} is longer than the body");
            var made = new Dictionary<string, object?>((int)count);
            for (long at = 0; at < count; at++)
            {
                if (!(Value(ref rest, depth + 1) is string key)) throw new WireException("$", "a map's key is no string");
                if (!made.TryAdd(key, Value(ref rest, depth + 1)))
                    throw new WireException("$", $"the key '{key}' stands twice in one map");
            }
            return made;
        }
    }
}
