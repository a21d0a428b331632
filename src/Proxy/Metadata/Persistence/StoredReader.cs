using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>
/// Reads what <see cref="StoredWriter"/> wrote. What cannot be is damage, which is noted and ends the reading; nothing throws.
/// </summary>
/// <remarks>No number is believed before it was held against the bytes that are left: what is damaged takes no memory.</remarks>
internal ref struct StoredReader
{
    private ReadOnlySpan<byte> _rest;

    private StoredReader(ReadOnlySpan<byte> body) => _rest = body;

    public bool IsDamaged { get; private set; }

    /// <summary>Whether everything was read, and could be.</summary>
    public readonly bool IsWhole => !IsDamaged && _rest.IsEmpty;

    public static bool TryOpen(ReadOnlySpan<byte> stored, byte revision, out StoredReader reader)
    {
        reader = default;
        if (stored.Length < StoredWriter.HeadBytes || stored[0] != revision) return false;
        var body = stored[StoredWriter.HeadBytes..];
        if (BinaryPrimitives.ReadUInt64LittleEndian(stored[1..]) != XxHash3.HashToUInt64(body, revision)) return false;
        reader = new(body);
        return true;
    }

    public void Damage()
    {
        IsDamaged = true;
        _rest = default;
    }

    public ulong ReadNumber()
    {
        var number = 0UL;
        for (var i = 0; i < _rest.Length && i < 10; i++)
        {
            var digit = _rest[i];
            if (i == 9 && digit > 1) break;
            number |= (ulong)(digit & 0x7F) << (7 * i);
            if (digit >= 0x80) continue;
            _rest = _rest[(i + 1)..];
            return number;
        }
        Damage();
        return 0;
    }

    public int ReadNumber(int most)
    {
        var number = ReadNumber();
        if (number <= (ulong)most) return (int)number;
        Damage();
        return 0;
    }

    /// <summary>How many things follow; each is a byte at least.</summary>
    public int ReadCount() => ReadNumber(_rest.Length);

    public bool ReadFlag() => ReadNumber(1) == 1;

    public ReadOnlySpan<byte> ReadRaw(int count)
    {
        if (count > _rest.Length)
        {
            Damage();
            return default;
        }
        var bytes = _rest[..count];
        _rest = _rest[count..];
        return bytes;
    }

    public ReadOnlySpan<byte> ReadBytes() => ReadRaw(ReadCount());

    public string? ReadText()
    {
        var count = ReadNumber();
        if (count == 0) return null;
        if (count - 1 <= (ulong)_rest.Length) return Encoding.UTF8.GetString(ReadRaw((int)(count - 1)));
        Damage();
        return null;
    }

    public Uid ReadUid()
    {
        var text = ReadBytes();
        if (Uid.IsUid(text) && Uid.TryParse(text, out var uid)) return uid;
        Damage();
        return default;
    }

    public DateTimeOffset ReadTime()
    {
        var ticks = ReadNumber();
        if (ticks <= (ulong)DateTimeOffset.MaxValue.UtcTicks) return new((long)ticks, TimeSpan.Zero);
        Damage();
        return default;
    }
}
