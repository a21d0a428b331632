using System.Buffers;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>The DICOMweb root as one client addresses it, written in front of the links of stored metadata.</summary>
/// <param name="address">Such as <c>https://pacs.example/dicomweb</c>.</param>
/// <param name="tokens">Signs links to bulk data.</param>
/// <param name="study">The study of the metadata; links below a backend's root in older stored metadata do not name it.</param>
public sealed class ClientRoot(string address, BulkTokens tokens, StudyPath? study = null)
{
    private readonly byte[] _address = Encoding.UTF8.GetBytes(address);

    private static ReadOnlySpan<byte> Bulk => "/bulkdata/"u8;

    internal ReadOnlySpan<byte> Address => _address;

    /// <summary>Writes the bulk data link at the beginning of the text, signed.</summary>
    /// <returns>The number of bytes read from the text; 0, with nothing written, when it does not begin with such a link.</returns>
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

    /// <summary>Writes a link below the backend's root from an older version, whose links did not name their instance.</summary>
    private int WriteOlder(IBufferWriter<byte> output, ReadOnlySpan<byte> link, int rest)
    {
        // Without a study a purge could not remove the item, so the link stays unsigned until the metadata is read again.
        var prefix = study is { } path ? [(byte)'/', .. Encoding.ASCII.GetBytes(path.ToString()), .. link[..rest]] : link[..rest];
        output.Write(prefix);
        if (study is not null) tokens.Write(output, [.. prefix, (byte)BulkDataPath.BelowRoot, .. link[rest..]], prefix.Length);
        return link.Length;
    }
}
