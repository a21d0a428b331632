using Proxy.Cache;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Checks bulk data: any bytes, but not an empty body, not a page, and not DICOM JSON, which would contain the backend's own
/// address.
/// </summary>
internal sealed class BulkDataCheck : BodyCheck
{
    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (!IsBulkData(declared.MediaType)) throw new MalformedAnswerException("The answer's type is not bulk data.");
        if (start.IsEmpty) return isAll ? throw new MalformedAnswerException("The answer's body is empty.") : null;
        return ErrorPage.IsAt(start.Span) switch
        {
            true => throw new MalformedAnswerException("The answer's body is a web page or an error document."),
            null when !isAll => null,
            _ => declared,
        };
    }

    /// <summary>True when bulk data can have this type.</summary>
    public static bool IsBulkData(string type) =>
        type is not ("text/html" or "application/xhtml+xml") && !type.EndsWith("json", StringComparison.Ordinal);
}
