using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>What may lie under a key that answers a request.</summary>
/// <param name="Key">Under which it lies.</param>
/// <param name="Form">The form that it has to be in; null when whatever lies there will do.</param>
/// <param name="IsPartWanted">It is more than what is wanted, which has to be cut out of it.</param>
public readonly record struct Candidate(EntryKey Key, BodyFormat? Form = null, bool IsPartWanted = false)
{
    public bool IsMetBy(EntryHead head) => Form is null || Form.IsMetBy(head.MediaType, head.TransferSyntax);
}
