using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>
/// Reads the output of <see cref="StoredWriter"/>. Impossible values are damage, which is flagged and ends the reading; nothing throws.
/// </summary>
/// <remarks>Every length is checked against the remaining bytes before memory is allocated for it.</remarks>
internal ref struct StoredReader
{
    private ReadOnlySpan<byte> _rest;

    private StoredReader(ReadOnlySpan<byte> body) => _rest = body;

    /// <summary>True once impossible data was met; all further reads return nothing.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>True when all bytes were read without damage.</summary>
    public readonly bool IsComplete => !IsDamaged && _rest.IsEmpty;

    /// <summary>Checks revision and checksum; false when either does not match.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> stored, byte revision, out StoredReader reader)
    {
        reader = default;
        if (stored.Length < StoredWriter.HeadBytes || stored[0] != revision) return false;
        var body = stored[StoredWriter.HeadBytes..];
        if (BinaryPrimitives.ReadUInt64LittleEndian(stored[1..]) != XxHash3.HashToUInt64(body, revision)) return false;
        reader = new(body);
        return true;
    }

    /// <summary>Flags damage.</summary>
    public void Damage()
    {
        IsDamaged = true;
        _rest = default;
    }

    /// <summary>Reads a number of up to 64 bits.</summary>
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

    /// <summary>Reads a number; a larger one is damage.</summary>
    public int ReadNumber(int max)
    {
        var number = ReadNumber();
        if (number <= (ulong)max) return (int)number;
        Damage();
        return 0;
    }

    /// <summary>Reads the number of items that follow, each of at least one byte.</summary>
    public int ReadCount() => ReadNumber(_rest.Length);

    /// <summary>Reads a flag.</summary>
    public bool ReadFlag() => ReadNumber(1) == 1;

    /// <summary>Reads bytes of known length.</summary>
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

    /// <summary>Reads bytes with their length before them.</summary>
    public ReadOnlySpan<byte> ReadBytes() => ReadRaw(ReadCount());

    /// <summary>Reads a text; null when none was written.</summary>
    public string? ReadText()
    {
        var count = ReadNumber();
        if (count == 0) return null;
        if (count - 1 <= (ulong)_rest.Length) return Encoding.UTF8.GetString(ReadRaw((int)(count - 1)));
        Damage();
        return null;
    }

    /// <summary>Reads a valid UID.</summary>
    public Uid ReadUid()
    {
        var text = ReadBytes();
        if (Uid.IsUid(text) && Uid.TryParse(text, out var uid)) return uid;
        Damage();
        return default;
    }

    /// <summary>Reads a time.</summary>
    public DateTimeOffset ReadTime()
    {
        var ticks = ReadNumber();
        if (ticks <= (ulong)DateTimeOffset.MaxValue.UtcTicks) return new((long)ticks, TimeSpan.Zero);
        Damage();
        return default;
    }
}
