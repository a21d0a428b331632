using System.Buffers.Binary;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The identity of the object in a Part 10 file, read from its first bytes. Null values are absent or not readable.</summary>
/// <param name="TransferSyntaxUid">Transfer Syntax UID (0002,0010).</param>
/// <param name="MediaStorageSopInstanceUid">Media Storage SOP Instance UID (0002,0003).</param>
/// <param name="SopInstanceUid">SOP Instance UID (0008,0018).</param>
/// <param name="StudyInstanceUid">Study Instance UID (0020,000D).</param>
/// <param name="SeriesInstanceUid">Series Instance UID (0020,000E).</param>
public sealed record Part10Identity(
    Uid TransferSyntaxUid, string? MediaStorageSopInstanceUid, string? SopInstanceUid, string? StudyInstanceUid, string? SeriesInstanceUid)
{
    private const int PreambleBytes = 128;

    private const uint MediaStorageSopClass = 0x00020002;
    private const uint MediaStorageSopInstance = 0x00020003;
    private const uint TransferSyntax = 0x00020010;

    /// <summary>The limit for a UID with its padding; a longer text is not a UID (PS3.5 §9.1).</summary>
    private const int MaxUidBytes = Uid.MaxLength + 2;

    /// <summary>Explicit VR Big Endian and the deflated syntaxes, whose datasets are not read here.</summary>
    private static readonly string[] UnsupportedSyntaxes =
        ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];

    /// <summary>Media Storage SOP Class UID (0002,0002).</summary>
    public string? MediaStorageSopClassUid { get; private init; }

    /// <summary>The offset of the dataset in the file, in bytes.</summary>
    public int DatasetAt { get; private init; }

    /// <summary>Reads the file meta group and the dataset up to <paramref name="until"/>.</summary>
    /// <param name="start">The first bytes of the file.</param>
    /// <param name="until">The last attribute to read from the dataset.</param>
    /// <param name="isAll">True when no more bytes follow, or no more are read: attributes not readable by then stay unknown.</param>
    /// <returns>Null when more bytes are needed; never null when <paramref name="isAll"/>.</returns>
    /// <exception cref="MalformedAnswerException">This is not a Part 10 file, or its file meta group is invalid (PS3.10 §7.1).</exception>
    public static Part10Identity? Read(ReadOnlyMemory<byte> start, Tag until, bool isAll)
    {
        var cursor = new Part10Cursor(start.Length, (offset, room) =>
        {
            var rest = start.Span[(int)offset..];
            var count = Math.Min(rest.Length, room.Length);
            rest[..count].CopyTo(room);
            return count;
        });
        try
        {
            return Read(cursor, start.Length, until, isAll);
        }
        catch (MalformedAnswerException) when (cursor.HasRunOut && !isAll)
        {
            return null;
        }
    }

    private static Part10Identity? Read(Part10Cursor cursor, int length, Tag until, bool isAll)
    {
        if (length < PreambleBytes + 4 && !isAll) return null;
        cursor.Skip(PreambleBytes);
        if (!cursor.Read(4).SequenceEqual("DICM"u8)) throw new MalformedAnswerException("The answer is not a DICOM file (PS3.10 §7.1).");

        Uid? transferSyntax = null;
        string? stored = null, sopClass = null;
        while (!cursor.IsAtEnd && BinaryPrimitives.ReadUInt16LittleEndian(cursor.Peek(2)) == 0x0002)
        {
            var head = cursor.ReadHead(isImplicit: false);
            if (head.Tag.Value == MediaStorageSopClass) sopClass = ReadUid(cursor, head);
            else if (head.Tag.Value == MediaStorageSopInstance) stored = ReadUid(cursor, head);
            else if (head.Tag.Value == TransferSyntax) transferSyntax = Uid.TryParse(ReadUid(cursor, head), out var uid) ? uid : null;
            else Part10Reader.SkipValue(cursor, head, isImplicit: false, depth: 0);
        }
        if (cursor.IsAtEnd && !isAll) return null;
        if (transferSyntax is not { } syntax) throw new MalformedAnswerException("The file names no transfer syntax (PS3.10 §7.1).");

        var identity = new Part10Identity(syntax, stored, null, null, null)
        {
            MediaStorageSopClassUid = sopClass,
            DatasetAt = (int)cursor.Position,
        };
        return UnsupportedSyntaxes.Contains(syntax.ToString()) ? identity : ReadDataset(cursor, identity, until, isAll);
    }

    /// <summary>Unreadable parts of the dataset stay unknown: this method does not decide whether the file is complete.</summary>
    private static Part10Identity? ReadDataset(Part10Cursor cursor, Part10Identity identity, Tag until, bool isAll)
    {
        var isImplicit = identity.TransferSyntaxUid.ToString() == Dicom.TransferSyntax.ImplicitLittleEndian;
        try
        {
            while (!cursor.IsAtEnd)
            {
                var head = cursor.ReadHead(isImplicit);
                if (head.Tag > until) return identity;
                if (head.Tag == Tag.SopInstanceUid) identity = identity with { SopInstanceUid = ReadUid(cursor, head) };
                else if (head.Tag == Tag.StudyInstanceUid) identity = identity with { StudyInstanceUid = ReadUid(cursor, head) };
                else if (head.Tag == Tag.SeriesInstanceUid) identity = identity with { SeriesInstanceUid = ReadUid(cursor, head) };
                else Part10Reader.SkipValue(cursor, head, isImplicit, depth: 0);
                if (head.Tag == until) return identity;
            }
            return isAll ? identity : null;
        }
        catch (MalformedAnswerException)
        {
            return cursor.HasRunOut && !isAll ? null : identity;
        }
    }

    /// <summary>Reads a UID without its padding (PS3.5 §9.1: a NUL; archives also write spaces).</summary>
    private static string ReadUid(Part10Cursor cursor, Part10Head head) =>
        head.Length <= MaxUidBytes
            ? System.Text.Encoding.ASCII.GetString(cursor.Read((int)head.Length).TrimEnd((byte)0).TrimEnd((byte)' '))
            : throw new MalformedAnswerException("A UID is too long (PS3.5 §9.1).");
}
