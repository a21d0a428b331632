using System.Buffers.Binary;
using System.Numerics;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The head of a data element or an item: the bytes in front of its value (PS3.5 §7.1, §7.5).</summary>
/// <param name="Tag">The tag of the element.</param>
/// <param name="Vr">Two letters, the first in the higher byte; 0 when the VR is not written.</param>
/// <param name="Start">The offset of the value in the file.</param>
/// <param name="Length">The declared length of the value, in bytes.</param>
internal readonly record struct Part10Head(Tag Tag, ushort Vr, long Start, uint Length)
{
    public const ushort Ob = ('O' << 8) | 'B';
    public const ushort Ow = ('O' << 8) | 'W';
    public const ushort Sq = ('S' << 8) | 'Q';
    public const ushort Un = ('U' << 8) | 'N';

    /// <summary>The length is undefined: a delimiter ends the value (PS3.5 §7.5.1).</summary>
    public bool IsUndefined => Length == uint.MaxValue;

    /// <summary>An item or a delimiter; these have no VR in any transfer syntax (PS3.5 §7.5).</summary>
    public bool IsItemGroup => Tag.Value >> 16 == 0xFFFE;
}

/// <summary>How the heads and numbers of a dataset are written (PS3.5 §7.1, §7.3).</summary>
internal enum ElementCoding
{
    /// <summary>With VRs, little endian.</summary>
    Explicit,

    /// <summary>Without VRs, little endian.</summary>
    Implicit,

    /// <summary>With VRs, big endian.</summary>
    BigEndian,
}

/// <summary>A position in a Part 10 file that moves from head to head and skips values without reading them.</summary>
/// <remarks>Memory: one window, which grows to the longest value that is read; skipped values need none.</remarks>
/// <param name="length">The length of the file; <see cref="UnknownLength"/> when the source ends where it returns 0.</param>
/// <param name="read">Reads bytes of the file.</param>
internal sealed class Part10Cursor(long length, ReadAt read)
{
    /// <summary>The length of a source that must be read to find its end.</summary>
    public const long UnknownLength = long.MaxValue;

    /// <summary>The limit of heads per file: a whole slide image has a hundred thousand frames with ten attributes each.</summary>
    private const int MaxHeads = 1 << 22;

    private const int WindowBytes = 4096;
    private const int MaxAheadBytes = 64 * 1024;

    private byte[] _window = GC.AllocateUninitializedArray<byte>(WindowBytes);
    private long _length = length;
    private long _windowStart;
    private int _windowLength;
    private int _ahead = WindowBytes;
    private int _heads;

    /// <summary>The position in the window; never behind its last byte.</summary>
    private int _at;

    public long Position => _windowStart + _at;

    /// <summary>True behind the last byte of the file.</summary>
    public bool IsAtEnd => _at == _windowLength && (Position == _length || _length == UnknownLength && !Has(1));

    /// <summary>
    /// True at the end, and in front of zeros that pad the file; fewer bytes than a head may also be a line break, as some archives write.
    /// </summary>
    public bool IsAtPadding
    {
        get
        {
            if (_windowLength - _at >= 8) return BinaryPrimitives.ReadUInt32LittleEndian(_window.AsSpan(_at)) == 0;
            if (IsAtEnd) return true;
            var count = (int)Math.Min(8, _length - Position);
            if (!Has(count)) count = (int)(_length - Position);
            var next = _window.AsSpan(_at, count);
            return count < 8 ? !next.ContainsAnyExcept("\0\r\n"u8) : next.StartsWith("\0\0\0\0"u8);
        }
    }

    /// <summary>A read went past the end: the file is truncated, or only its beginning is available.</summary>
    public bool HasRunOut { get; private set; }

    /// <summary>The reading stopped at a limit of this reader, not at an error in the file.</summary>
    public bool IsOverLimit { get; private set; }

    /// <summary>The exception for a file that exceeds a limit.</summary>
    public MalformedAnswerException OverLimit(string message)
    {
        IsOverLimit = true;
        return new(message);
    }

    /// <summary>Reads the head at the current position.</summary>
    /// <exception cref="MalformedAnswerException">There is no valid head.</exception>
    public Part10Head ReadHead(ElementCoding coding) =>
        coding == ElementCoding.BigEndian ? ReadBigEndianHead() : ReadHead(isImplicit: coding == ElementCoding.Implicit);

    /// <inheritdoc cref="ReadHead(ElementCoding)"/>
    public Part10Head ReadHead(bool isImplicit)
    {
        if (++_heads > MaxHeads) throw OverLimit("The file has more attributes than the limit.");
        var head = BinaryPrimitives.ReadUInt64LittleEndian(Peek(8));
        var tag = new Tag(BitOperations.RotateLeft((uint)head, 16));
        if (isImplicit || tag.Value >> 16 == 0xFFFE) return EndHead(tag, 0, 8, (uint)(head >> 32));
        var vr = BinaryPrimitives.ReverseEndianness((ushort)(head >> 32));
        return IsShort(vr)
            ? EndHead(tag, vr, 8, (uint)(head >> 48))
            : EndHead(tag, vr, 12, BinaryPrimitives.ReadUInt32LittleEndian(Peek(12)[8..]));
    }

    private Part10Head ReadBigEndianHead()
    {
        if (++_heads > MaxHeads) throw OverLimit("The file has more attributes than the limit.");
        var head = Peek(8);
        var tag = new Tag(BinaryPrimitives.ReadUInt32BigEndian(head));
        if (tag.Value >> 16 == 0xFFFE) return EndHead(tag, 0, 8, BinaryPrimitives.ReadUInt32BigEndian(head[4..]));
        var vr = BinaryPrimitives.ReadUInt16BigEndian(head[4..]);
        return IsShort(vr)
            ? EndHead(tag, vr, 8, BinaryPrimitives.ReadUInt16BigEndian(head[6..]))
            : EndHead(tag, vr, 12, BinaryPrimitives.ReadUInt32BigEndian(Peek(12)[8..]));
    }

    private static bool IsShort(ushort letters)
    {
        var vr = Vr.Find(letters);
        return vr.IsKnown ? vr.IsShort : throw new MalformedAnswerException("An attribute has an unknown VR (PS3.5 §6.2).");
    }

    private Part10Head EndHead(Tag tag, ushort vr, int headLength, uint valueLength)
    {
        _at += headLength;
        var found = new Part10Head(tag, vr, Position, valueLength);
        if (found.IsUndefined && vr is not (0 or Part10Head.Sq or Part10Head.Un or Part10Head.Ob or Part10Head.Ow))
            throw new MalformedAnswerException("A value of undefined length has a VR that requires a length (PS3.5 §7.1.2).");
        return found;
    }

    /// <summary>Reads the next bytes; the span is valid until the next read.</summary>
    /// <exception cref="MalformedAnswerException">The file ends before.</exception>
    public ReadOnlySpan<byte> Read(int count)
    {
        var bytes = Peek(count);
        _at += count;
        return bytes;
    }

    /// <summary>Moves forward without reading.</summary>
    /// <exception cref="MalformedAnswerException">The file ends before.</exception>
    public void Skip(long count)
    {
        if (count <= _windowLength - _at)
        {
            _at += (int)count;
            return;
        }
        if (count > _length - Position) throw RunOut();
        MoveTo(Position + count);
    }

    /// <summary>Moves to a position in the file, also back to a value that was skipped.</summary>
    public void MoveTo(long position) => (_windowStart, _windowLength, _at, _ahead) = (position, 0, 0, WindowBytes);

    /// <summary>The next bytes, without moving.</summary>
    /// <exception cref="MalformedAnswerException">The file ends before.</exception>
    public ReadOnlySpan<byte> Peek(int count)
    {
        if (_windowLength - _at < count && (count > _length - Position || !Has(count))) throw RunOut();
        return _window.AsSpan(_at, count);
    }

    private MalformedAnswerException RunOut()
    {
        HasRunOut = true;
        return new("The file ends too early.");
    }

    /// <summary>Fills the window with at least this number of bytes from the position on; false when the source has fewer.</summary>
    private bool Has(int count)
    {
        var kept = _windowLength - _at;
        if (kept >= count) return true;
        // A longer run of heads is read in longer pieces.
        if (_windowLength > 0) _ahead = Math.Min(2 * _ahead, MaxAheadBytes);
        var wanted = Math.Max(count, _ahead);
        var window = wanted > _window.Length ? GC.AllocateUninitializedArray<byte>(wanted) : _window;
        _window.AsSpan(_at, kept).CopyTo(window);
        (_window, _windowStart, _windowLength, _at) = (window, Position, kept, 0);
        while (_windowLength < count)
        {
            var room = (int)Math.Min(wanted - _windowLength, _length - Position - _windowLength);
            var received = read(Position + _windowLength, _window.AsSpan(_windowLength, room));
            if (received > 0)
            {
                _windowLength += received;
                continue;
            }
            if (_length != UnknownLength) throw new MalformedAnswerException("The file is shorter than its declared length.");
            _length = Position + _windowLength;
            return false;
        }
        return true;
    }
}
