using System.Buffers;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>The DICOMweb root as one client addresses it: what the links of kept metadata become when they are written for it.</summary>
/// <param name="address">Such as <c>https://pacs.example/dicomweb</c>.</param>
/// <param name="tokens">Signs links to bulk data.</param>
/// <param name="study">The study of the metadata; older kept metadata names places below a backend's root without it.</param>
public sealed class ClientRoot(string address, BulkTokens tokens, StudyPath? study = null)
{
    private readonly byte[] _address = Encoding.UTF8.GetBytes(address);

    private static ReadOnlySpan<byte> Bulk => "/bulkdata/"u8;

    internal ReadOnlySpan<byte> Address => _address;

    /// <summary>Writes the link to bulk data that the text begins with, signed.</summary>
    /// <returns>How many bytes of the text that was; 0 when it begins with no such link, and then nothing is written.</returns>
    internal int WriteBulkLink(IBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        var end = text.IndexOf((byte)'"');
        var link = end < 0 ? text : text[..end];
        var bulk = link.IndexOf(Bulk);
        if (bulk < 0) return 0;
        var rest = link[(bulk + Bulk.Length)..].IndexOf((byte)'/') + 1;
        if (rest == 0) return 0;
        rest += bulk + Bulk.Length;
        if (rest == link.Length) return 0;
        if (bulk == 0) return WriteOlder(output, link, rest);
        output.Write(link[..rest]);
        tokens.Write(output, link, rest);
        return link.Length;
    }

    /// <summary>A place below the backend's root, kept before such places named the instance that they belong to.</summary>
    private int WriteOlder(IBufferWriter<byte> output, ReadOnlySpan<byte> link, int rest)
    {
        // Without a study a purge could not reach it: it is not followed until the metadata is read again.
        var prefix = study is { } path ? [(byte)'/', .. Encoding.ASCII.GetBytes(path.ToString()), .. link[..rest]] : link[..rest];
        output.Write(prefix);
        if (study is not null) tokens.Write(output, [.. prefix, (byte)BulkDataPath.BelowRoot, .. link[rest..]], prefix.Length);
        return link.Length;
    }
}
