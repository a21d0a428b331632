using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>Checks a whole instance: it must be a Part 10 file of the requested SOP instance.</summary>
/// <param name="asked">The requested forms.</param>
/// <param name="instance">The requested SOP Instance UID.</param>
internal sealed class InstanceCheck(AskedForms asked, Uid instance) : BodyCheck
{
    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (declared.MediaType is not (BodyFormat.Dicom or MediaType.OctetStream))
            throw new MalformedAnswerException("The answer's type is not application/dicom.");
        if (start.IsEmpty && isAll) throw new MalformedAnswerException("The answer's body is empty.");
        if (Part10Identity.Read(start, Tag.SopInstanceUid, isAll) is not { } identity) return null;
        if (!Is(identity, instance)) throw new MalformedAnswerException("The file holds another SOP instance than requested.");

        // The file's own transfer syntax takes precedence over the answer's headers (PS3.18 §8.7.9).
        var head = new EntryHead(BodyFormat.Dicom, identity.TransferSyntaxUid.ToString(), declared.Length);
        CheckForm(asked, head);
        return head;
    }

    /// <summary>True when a file holds this SOP instance, by its file meta group and its dataset, as far as both name one.</summary>
    public static bool Is(Part10Identity identity, Uid instance)
    {
        if (identity.MediaStorageSopInstanceUid is null && identity.SopInstanceUid is null) return false;
        var wanted = instance.ToString();
        return (identity.MediaStorageSopInstanceUid ?? wanted) == wanted && (identity.SopInstanceUid ?? wanted) == wanted;
    }
}
