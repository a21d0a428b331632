using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>What may lie under a key that answers a request.</summary>
/// <param name="Key">Under which it lies.</param>
/// <param name="RequiredFormat">The form that it has to be in; null when whatever lies there will do.</param>
/// <param name="IsContainer">It is more than what is wanted, which has to be cut out of it.</param>
public readonly record struct AcceptableEntry(EntryKey Key, BodyFormat? RequiredFormat = null, bool IsContainer = false)
{
    public bool IsMetBy(EntryHead head) => RequiredFormat is null || RequiredFormat.IsMetBy(head.MediaType, head.TransferSyntax);
}
