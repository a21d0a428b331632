using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Proxy.Wire;

namespace Proxy.Dimse.Protocol;

/// <summary>Reads the content of protocol data units (PS3.8 §9.3). Every length is compared with what contains it.</summary>
internal static class PduReader
{
    /// <summary>The longest A-ASSOCIATE PDU that is read: 128 contexts with some twenty syntaxes each need less.</summary>
    public const int MaxAssociateBytes = 256 * 1024;

    /// <summary>The largest P-DATA-TF PDU that is read, in bytes.</summary>
    public const int MaxDataBytes = 1024 * 1024;

    private const int FixedBytes = 68;

    /// <summary>Reads the content of A-ASSOCIATE-RQ or A-ASSOCIATE-AC. Unknown items are skipped (PS3.8 §9.3.1).</summary>
    /// <exception cref="MalformedAnswerException">A length does not fit, a context has an invalid ID, or there are too many.</exception>
    public static AssociatePdu ReadAssociate(ReadOnlySpan<byte> content)
    {
        if (content.Length < FixedBytes) throw Malformed("An A-ASSOCIATE PDU is too short.");
        var contexts = ImmutableArray.CreateBuilder<PresentationContext>();
        var associate = new AssociatePdu(ReadTitle(content[4..20]), ReadTitle(content[20..36]), []);
        for (var rest = content[FixedBytes..]; !rest.IsEmpty;)
        {
            var type = ReadItem(ref rest, out var value);
            if (type is 0x20 or 0x21) contexts.Add(ReadContext(value));
            else if (type == 0x50) associate = ReadUser(value, associate);
            if (contexts.Count > AssociatePdu.MaxContexts) throw Malformed("An association has more than 128 presentation contexts.");
        }
        return associate with { Contexts = contexts.ToImmutable() };
    }

    /// <summary>Reads the content of A-ASSOCIATE-RJ.</summary>
    /// <exception cref="MalformedAnswerException">It is too short.</exception>
    public static Rejection ReadRejection(ReadOnlySpan<byte> content) =>
        content.Length >= 4 ? new(content[1], content[2], content[3]) : throw Malformed("An A-ASSOCIATE-RJ PDU is too short.");

    /// <summary>Reads the head of a PDV.</summary>
    /// <param name="head">Six bytes.</param>
    /// <param name="left">The bytes of the PDU from this head on.</param>
    /// <returns>The context, the kind, and the length of the fragment in bytes.</returns>
    /// <exception cref="MalformedAnswerException">The PDV is longer than its PDU.</exception>
    public static (byte Context, PdvKind Kind, int Length) ReadPdvHead(ReadOnlySpan<byte> head, int left)
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (length < 2 || length > (uint)left - 4) throw Malformed("A PDV is longer than its PDU, or has no head (PS3.8 §9.3.5.1).");
        return (head[4], (PdvKind)(head[5] & 3), (int)length - 2);
    }

    /// <summary>The exception for bytes that are not valid.</summary>
    public static MalformedAnswerException Malformed(string message) => new(message);

    private static PresentationContext ReadContext(ReadOnlySpan<byte> content)
    {
        if (content.Length < 4 || (content[0] & 1) == 0) throw Malformed("A presentation context has no odd ID (PS3.8 §9.3.2.2).");
        var syntaxes = ImmutableArray.CreateBuilder<string>();
        var abstractSyntax = "";
        for (var rest = content[4..]; !rest.IsEmpty;)
        {
            var type = ReadItem(ref rest, out var value);
            if (type == 0x30) abstractSyntax = ReadUid(value);
            else if (type == 0x40) syntaxes.Add(ReadUid(value));
        }
        return new(content[0], abstractSyntax, syntaxes.ToImmutable()) { Result = (ContextResult)content[2] };
    }

    private static AssociatePdu ReadUser(ReadOnlySpan<byte> content, AssociatePdu associate)
    {
        var roles = associate.Roles.ToBuilder();
        for (var rest = content; !rest.IsEmpty;)
        {
            var type = ReadItem(ref rest, out var value);
            associate = type switch
            {
                0x51 when value.Length >= 4 => associate with { MaxPduBytes = BinaryPrimitives.ReadUInt32BigEndian(value) },
                0x51 => throw Malformed("The maximum length of PDUs has less than four bytes (PS3.8 §D.1)."),
                0x52 => associate with { ImplementationClassUid = ReadUid(value) },
                0x55 => associate with { ImplementationVersion = ReadTitle(value) },
                _ => associate,
            };
            if (type == 0x54) roles.Add(ReadRole(value));
        }
        return associate with { Roles = roles.ToImmutable() };
    }

    private static RoleSelection ReadRole(ReadOnlySpan<byte> content)
    {
        if (content.Length < 4 || BinaryPrimitives.ReadUInt16BigEndian(content) is var length && content.Length < length + 4)
            throw Malformed("A role selection is too short (PS3.7 §D.3.3.4).");
        var scu = content[2 + length] == 1 ? DimseRoles.Scu : DimseRoles.None;
        var scp = content[3 + length] == 1 ? DimseRoles.Scp : DimseRoles.None;
        return new(ReadUid(content.Slice(2, length)), scu | scp);
    }

    /// <summary>Reads the next item: its type, and its content.</summary>
    private static byte ReadItem(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> content)
    {
        if (rest.Length < 4 || BinaryPrimitives.ReadUInt16BigEndian(rest[2..]) is var length && length > rest.Length - 4)
            throw Malformed("An item is longer than what contains it (PS3.8 §9.3.1).");
        var type = rest[0];
        content = rest.Slice(4, length);
        rest = rest[(4 + length)..];
        return type;
    }

    /// <summary>UIDs may be padded, against PS3.8 §F.</summary>
    private static string ReadUid(ReadOnlySpan<byte> content) => Encoding.ASCII.GetString(content.TrimEnd("\0 "u8));

    private static string ReadTitle(ReadOnlySpan<byte> content) => Encoding.ASCII.GetString(content.TrimEnd((byte)0)).Trim(' ');
}
