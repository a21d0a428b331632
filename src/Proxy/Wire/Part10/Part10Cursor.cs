using System.Buffers.Binary;
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

/// <summary>A position in a Part 10 file that moves from head to head and skips values without reading them.</summary>
/// <remarks>Memory: one window, independent of the lengths that the file declares.</remarks>
internal sealed class Part10Cursor(long length, ReadAt read)
{
    /// <summary>The limit of heads per file: a whole slide image has a hundred thousand frames with ten attributes each.</summary>
    private const int MaxHeads = 1 << 22;

    private const int WindowBytes = 4096;

    // PS3.5 §7.1.2, Table 7.1-2. The VRs of §6.2 that the table does not list have lengths of 32 bits.
    private static readonly ushort[] ShortVrs = Vrs("AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS"u8);
    private static readonly ushort[] LongVrs = Vrs("OBODOFOLOVOWSQSVUCUNURUTUV"u8);

    /// <summary>Whether a length of 16 bits follows this VR.</summary>
    public static bool IsShortVr(ushort vr) => ShortVrs.Contains(vr);

    /// <summary>Whether two reserved bytes and a length of 32 bits follow this VR.</summary>
    public static bool IsLongVr(ushort vr) => LongVrs.Contains(vr);

    private readonly byte[] _window = new byte[WindowBytes];
    private long _windowStart;
    private int _windowLength;
    private int _heads;

    public long Position { get; private set; }

    public bool IsAtEnd => Position == length;

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
    public Part10Head ReadHead(bool isImplicit)
    {
        if (++_heads > MaxHeads) throw OverLimit("The file has more attributes than the limit.");
        var head = Peek(8);
        var tag = new Tag(((uint)BinaryPrimitives.ReadUInt16LittleEndian(head) << 16) | BinaryPrimitives.ReadUInt16LittleEndian(head[2..]));
        ushort vr = 0;
        var headLength = 8;
        uint valueLength;
        if (isImplicit || tag.Value >> 16 == 0xFFFE)
        {
            valueLength = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        }
        else
        {
            vr = BinaryPrimitives.ReadUInt16BigEndian(head[4..]);
            valueLength = BinaryPrimitives.ReadUInt16LittleEndian(head[6..]);
            if (!ShortVrs.Contains(vr))
            {
                if (!LongVrs.Contains(vr)) throw new MalformedAnswerException("An attribute has an unknown VR (PS3.5 §6.2).");
                headLength = 12;
                valueLength = BinaryPrimitives.ReadUInt32LittleEndian(Peek(12)[8..]);
            }
        }
        Skip(headLength);
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
        Position += count;
        return bytes;
    }

    /// <summary>Moves forward without reading.</summary>
    /// <exception cref="MalformedAnswerException">The file ends before.</exception>
    public void Skip(long count)
    {
        if (count > length - Position) throw RunOut();
        Position += count;
    }

    /// <summary>Returns to a value that was skipped.</summary>
    public void MoveTo(long position) => Position = position;

    /// <summary>The next bytes, without moving.</summary>
    /// <exception cref="MalformedAnswerException">The file ends before.</exception>
    public ReadOnlySpan<byte> Peek(int count)
    {
        if (count > length - Position) throw RunOut();
        var at = Position - _windowStart;
        if (at < 0 || at + count > _windowLength)
        {
            Fill(count);
            at = 0;
        }
        return _window.AsSpan((int)at, count);
    }

    private MalformedAnswerException RunOut()
    {
        HasRunOut = true;
        return new("The file ends too early.");
    }

    private void Fill(int count)
    {
        _windowStart = Position;
        _windowLength = 0;
        var max = (int)Math.Min(WindowBytes, length - Position);
        while (_windowLength < count)
        {
            var received = read(Position + _windowLength, _window.AsSpan(_windowLength, max - _windowLength));
            if (received <= 0) throw new MalformedAnswerException("The file is shorter than its declared length.");
            _windowLength += received;
        }
    }

    private static ushort[] Vrs(ReadOnlySpan<byte> letters)
    {
        var vrs = new ushort[letters.Length / 2];
        for (var i = 0; i < vrs.Length; i++) vrs[i] = BinaryPrimitives.ReadUInt16BigEndian(letters[(2 * i)..]);
        return vrs;
    }
}
