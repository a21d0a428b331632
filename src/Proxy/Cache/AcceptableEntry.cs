using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>A cache entry that can answer a request.</summary>
/// <param name="Key">The key of the entry.</param>
/// <param name="RequiredFormat">The format that the entry must have; null accepts any.</param>
/// <param name="IsContainer">True when the requested body is only a part of the entry and must be cut out.</param>
public readonly record struct AcceptableEntry(EntryKey Key, BodyFormat? RequiredFormat = null, bool IsContainer = false)
{
    /// <summary>True when an entry with this head has the required format.</summary>
    public bool IsSatisfiedBy(EntryHead head) =>
        RequiredFormat is null || RequiredFormat.IsSatisfiedBy(head.MediaType, head.TransferSyntax);
}
