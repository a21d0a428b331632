using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>Writes the binary format of stored data. <see cref="StoredReader"/> reads it.</summary>
/// <remarks>
/// <code>
/// revision (1) · checksum (8, little endian: XxHash3 of the body, seeded with the revision) · body
///
/// number   seven bits per byte, the lowest first; the top bit marks that more follow; at most 64 bits
/// bytes    number of bytes · bytes
/// text     0 for null, else number of bytes + 1 · UTF-8
/// UID      bytes, ASCII
/// time     number: ticks of UTC since the year 1
/// </code>
/// </remarks>
internal sealed class StoredWriter
{
    internal const int HeadBytes = 9;

    private readonly ArrayBufferWriter<byte> _bytes;
    private readonly byte _revision;

    /// <summary>Creates a writer.</summary>
    public StoredWriter(byte revision, int capacity)
    {
        _revision = revision;
        _bytes = new(capacity + HeadBytes);
        _bytes.GetSpan(HeadBytes)[..HeadBytes].Clear();
        _bytes.Advance(HeadBytes);
    }

    /// <summary>Writes a number.</summary>
    public void WriteNumber(ulong number)
    {
        var buffer = _bytes.GetSpan(10);
        var count = 0;
        for (; number >= 0x80; number >>= 7) buffer[count++] = (byte)(number | 0x80);
        buffer[count++] = (byte)number;
        _bytes.Advance(count);
    }

    /// <summary>Writes a number of items or bytes.</summary>
    public void WriteCount(int count) => WriteNumber((ulong)count);

    /// <summary>Writes bytes without their length.</summary>
    public void WriteRaw(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

    /// <summary>Writes bytes with their length before them.</summary>
    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        WriteCount(bytes.Length);
        _bytes.Write(bytes);
    }

    /// <summary>Writes a text or null.</summary>
    public void WriteText(string? text)
    {
        if (text is null)
        {
            WriteCount(0);
            return;
        }
        var bytes = Encoding.UTF8.GetByteCount(text);
        WriteCount(bytes + 1);
        _bytes.Advance(Encoding.UTF8.GetBytes(text, _bytes.GetSpan(bytes)));
    }

    /// <summary>Writes a UID.</summary>
    public void WriteUid(Uid uid)
    {
        var text = uid.ToString();
        WriteCount(text.Length);
        _bytes.Advance(Encoding.ASCII.GetBytes(text, _bytes.GetSpan(text.Length)));
    }

    /// <summary>Writes a time.</summary>
    public void WriteTime(DateTimeOffset time) => WriteNumber((ulong)time.UtcTicks);

    /// <summary>The written bytes with revision and checksum.</summary>
    public byte[] Seal()
    {
        var bytes = _bytes.WrittenSpan.ToArray();
        bytes[0] = _revision;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1), XxHash3.HashToUInt64(bytes.AsSpan(HeadBytes), _revision));
        return bytes;
    }
}
