using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Proxy.Dimse.Protocol;

/// <summary>Writes protocol data units (PS3.8 §9.3).</summary>
/// <remarks>
/// <code>
/// PDU    type · 0 · length (4, big endian) · content
/// item   type · 0 · length (2, big endian) · content
/// PDV    length (4) · context ID · flags · fragment         flags: 1 command, 2 last fragment (PS3.8 §E.2)
/// </code>
/// </remarks>
internal static class PduWriter
{
    /// <summary>The bytes in front of the content of a PDU.</summary>
    public const int HeadBytes = 6;

    /// <summary>The bytes in front of the fragment in a PDV.</summary>
    public const int PdvHeadBytes = 6;

    /// <summary>The one application context of DICOM (PS3.7 §A.2.1).</summary>
    private const string ApplicationContext = "1.2.840.10008.3.1.1.1";

    /// <summary>Writes A-ASSOCIATE-RQ or A-ASSOCIATE-AC.</summary>
    public static byte[] Write(PduType type, AssociatePdu associate)
    {
        var isAccept = type == PduType.AssociateAccept;
        var content = new ArrayBufferWriter<byte>(4096);
        Number(content, 1);
        Number(content, 0);
        AeTitle(content, associate.CalledAeTitle);
        AeTitle(content, associate.CallingAeTitle);
        content.GetSpan(32)[..32].Clear();
        content.Advance(32);
        Item(content, 0x10, ApplicationContext);
        foreach (var context in associate.Contexts)
        {
            var inner = new ArrayBufferWriter<byte>();
            Bytes(inner, context.Id, 0, (byte)context.Result, 0);
            if (!isAccept) Item(inner, 0x30, context.AbstractSyntax);
            foreach (var syntax in context.TransferSyntaxes) Item(inner, 0x40, syntax);
            Item(content, isAccept ? (byte)0x21 : (byte)0x20, inner.WrittenSpan);
        }
        Item(content, 0x50, WriteUser(associate));
        return Write(type, content.WrittenSpan);
    }

    /// <summary>Writes A-ASSOCIATE-RJ.</summary>
    public static byte[] Write(Rejection rejection) =>
        Write(PduType.AssociateReject, [0, rejection.Result, rejection.Source, rejection.Reason]);

    /// <summary>Writes A-RELEASE-RQ or A-RELEASE-RP.</summary>
    public static byte[] WriteRelease(PduType type) => Write(type, [0, 0, 0, 0]);

    /// <summary>Writes A-ABORT of the user of the service (PS3.8 §9.3.8).</summary>
    public static byte[] WriteAbort() => Write(PduType.Abort, [0, 0, 0, 0]);

    /// <summary>Writes the heads of a P-DATA-TF PDU with one PDV.</summary>
    /// <param name="output">At least <see cref="HeadBytes"/> and <see cref="PdvHeadBytes"/>.</param>
    /// <param name="context">The context ID.</param>
    /// <param name="length">The length of the fragment, in bytes.</param>
    /// <param name="kind">What the fragment is a part of.</param>
    public static void WriteDataHead(Span<byte> output, byte context, int length, PdvKind kind)
    {
        output[0] = (byte)PduType.Data;
        output[1] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(output[2..], (uint)(length + PdvHeadBytes));
        BinaryPrimitives.WriteUInt32BigEndian(output[6..], (uint)(length + 2));
        output[10] = context;
        output[11] = (byte)kind;
    }

    private static byte[] WriteUser(AssociatePdu associate)
    {
        var user = new ArrayBufferWriter<byte>();
        var max = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(max, associate.MaxPduBytes);
        Item(user, 0x51, max);
        Item(user, 0x52, associate.ImplementationClassUid);
        foreach (var role in associate.Roles)
        {
            var inner = new ArrayBufferWriter<byte>();
            Number(inner, (ushort)role.SopClass.Length);
            inner.Write(Encoding.ASCII.GetBytes(role.SopClass));
            Bytes(inner, (byte)((int)role.Roles & 1), (byte)((int)role.Roles >> 1));
            Item(user, 0x54, inner.WrittenSpan);
        }
        if (associate.ImplementationVersion.Length > 0) Item(user, 0x55, associate.ImplementationVersion);
        return user.WrittenSpan.ToArray();
    }

    private static byte[] Write(PduType type, ReadOnlySpan<byte> content)
    {
        var pdu = new byte[HeadBytes + content.Length];
        pdu[0] = (byte)type;
        BinaryPrimitives.WriteUInt32BigEndian(pdu.AsSpan(2), (uint)content.Length);
        content.CopyTo(pdu.AsSpan(HeadBytes));
        return pdu;
    }

    private static void Item(IBufferWriter<byte> output, byte type, string text) => Item(output, type, Encoding.ASCII.GetBytes(text));

    private static void Item(IBufferWriter<byte> output, byte type, ReadOnlySpan<byte> content)
    {
        Bytes(output, type, 0);
        Number(output, checked((ushort)content.Length));
        output.Write(content);
    }

    private static void Bytes(IBufferWriter<byte> output, params ReadOnlySpan<byte> bytes) => output.Write(bytes);

    private static void Number(IBufferWriter<byte> output, ushort number)
    {
        BinaryPrimitives.WriteUInt16BigEndian(output.GetSpan(2), number);
        output.Advance(2);
    }

    private static void AeTitle(IBufferWriter<byte> output, string title) =>
        output.Write(Encoding.ASCII.GetBytes(title.PadRight(AssociatePdu.MaxAeTitleLength)[..AssociatePdu.MaxAeTitleLength]));
}

/// <summary>What a fragment is a part of, and whether it is the last one (PS3.8 §E.2).</summary>
[Flags]
internal enum PdvKind : byte
{
    /// <summary>A part of a dataset.</summary>
    Dataset = 0,

    /// <summary>A part of a command set.</summary>
    Command = 1,

    /// <summary>The last part.</summary>
    Last = 2,
}
