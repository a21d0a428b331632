using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Bulk data: bytes of any kind, but not none, no page, and no answer that describes studies: that has the backend's own
/// address in it.
/// </summary>
internal sealed class BulkDataCheck : BodyCheck
{
    public override MediaType? TypeOfNone { get; } = new(MediaType.OctetStream, []);

    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (!IsBulkData(declared.MediaType)) throw new MalformedAnswerException("The answer's type is not bulk data.");
        if (!start.IsEmpty) return declared;
        return isAll ? throw new MalformedAnswerException("The answer's body is empty.") : null;
    }

    /// <summary>Whether a value can be of this type.</summary>
    public static bool IsBulkData(string type) =>
        type is not ("text/html" or "application/xhtml+xml") && !type.EndsWith("json", StringComparison.Ordinal);
}
