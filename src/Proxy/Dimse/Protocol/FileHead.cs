using System.Text;

namespace Proxy.Dimse.Protocol;

/// <summary>Writes what a file has in front of the dataset that a C-STORE transfers: preamble and file meta group (PS3.10 §7.1).</summary>
internal static class FileHead
{
    /// <summary>The implementation class UID of the proxy, derived from a UUID (PS3.5 §B.2).</summary>
    public const string ImplementationClassUid = "2.25.183645190274650918273645546372819";

    /// <summary>The implementation version name of the proxy.</summary>
    public const string ImplementationVersion = "DICOMWEB_PROXY";

    private const int PreambleBytes = 128;

    /// <summary>Writes the head of the file of an instance.</summary>
    public static byte[] Write(ArrivingInstance instance)
    {
        using var group = new MemoryStream();
        group.Write([0x02, 0, 0x01, 0, (byte)'O', (byte)'B', 0, 0, 2, 0, 0, 0, 0, 1]);
        Add(group, 0x02, "UI", instance.SopClass);
        Add(group, 0x03, "UI", instance.SopInstance.ToString());
        Add(group, 0x10, "UI", instance.TransferSyntax);
        Add(group, 0x12, "UI", ImplementationClassUid);
        Add(group, 0x13, "SH", ImplementationVersion);
        using var head = new MemoryStream();
        head.Write(new byte[PreambleBytes]);
        head.Write("DICM"u8);
        head.Write([0x02, 0, 0, 0, (byte)'U', (byte)'L', 4, 0]);
        head.Write(BitConverter.GetBytes((int)group.Length));
        group.WriteTo(head);
        return head.ToArray();
    }

    private static void Add(MemoryStream output, byte element, string vr, string value)
    {
        var bytes = Encoding.ASCII.GetBytes(value);
        var length = bytes.Length + bytes.Length % 2;
        output.Write([0x02, 0, element, 0, (byte)vr[0], (byte)vr[1], (byte)length, (byte)(length >> 8)]);
        output.Write(bytes);
        if (length > bytes.Length) output.WriteByte(vr == "UI" ? (byte)0 : (byte)' ');
    }
}
