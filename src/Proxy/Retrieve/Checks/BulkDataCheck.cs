using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Checks bulk data: any bytes, but not an empty body, not a page, and not DICOM JSON, which would contain the backend's own
/// address.
/// </summary>
/// <param name="asked">The requested form; null when the backend chooses.</param>
internal sealed class BulkDataCheck(BodyFormat? asked = null) : BodyCheck
{
    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (!IsBulkData(declared.MediaType)) throw new MalformedAnswerException("The answer's type is not bulk data.");
        if (start.IsEmpty) return isAll ? throw new MalformedAnswerException("The answer's body is empty.") : null;
        var isPage = ErrorPage.IsAt(start.Span);
        if (isPage == true) throw new MalformedAnswerException("The answer's body is a web page or an error document.");
        if (!isAll && (isPage is null || start.Length < Codestream.StartBytes)) return null;
        // Archives name documents and videos octets; viewers need their type.
        var head = declared.MediaType == MediaType.OctetStream && Codestream.FindType(start.Span) is { } type
            ? declared with { MediaType = type }
            : declared;
        if (asked is null || head.MediaType == asked.MediaType) return head;
        throw new MalformedAnswerException("The answer is not in the requested form.") { IsOtherRepresentation = true };
    }

    /// <summary>True when bulk data can have this type.</summary>
    public static bool IsBulkData(string type) =>
        type is not ("text/html" or "application/xhtml+xml") && !type.EndsWith("json", StringComparison.Ordinal);
}
