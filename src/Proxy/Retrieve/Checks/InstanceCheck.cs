using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>A whole instance: a Part 10 file of the SOP instance that was asked for.</summary>
/// <param name="asked">The forms that were asked for.</param>
/// <param name="instance">The SOP Instance UID that was asked for.</param>
internal sealed class InstanceCheck(AskedForms asked, Uid instance) : BodyCheck
{
    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (declared.MediaType is not (BodyFormat.Dicom or MediaType.OctetStream))
            throw new MalformedAnswerException("The answer's type is not application/dicom.");
        if (start.IsEmpty && isAll) throw new MalformedAnswerException("The answer's body is empty.");
        if (Part10Identity.Read(start, Tag.SopInstanceUid, isAll) is not { } identity) return null;
        if (!Is(identity, instance)) throw new MalformedAnswerException("The file is of another SOP instance than was asked for.");

        // What the file says goes before what the answer says of it (PS3.18 §8.7.9).
        var head = new EntryHead(BodyFormat.Dicom, identity.TransferSyntaxUid.ToString(), declared.Length);
        CheckForm(asked, head);
        return head;
    }

    /// <summary>Whether a file holds this SOP instance: by its file meta group and by its dataset, as far as they say it.</summary>
    public static bool Is(Part10Identity identity, Uid instance)
    {
        if (identity.MediaStorageSopInstanceUid is null && identity.SopInstanceUid is null) return false;
        var wanted = instance.ToString();
        return (identity.MediaStorageSopInstanceUid ?? wanted) == wanted && (identity.SopInstanceUid ?? wanted) == wanted;
    }
}
