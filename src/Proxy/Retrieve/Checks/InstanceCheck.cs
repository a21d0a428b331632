using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>Checks a whole instance: it must be a Part 10 file of the requested study, series and SOP instance.</summary>
/// <param name="asked">The requested forms.</param>
/// <param name="path">The requested instance.</param>
internal sealed class InstanceCheck(RequestedForms asked, InstancePath path) : BodyCheck
{
    private Part10Walk? _walk;

    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (declared.MediaType is not (BodyFormat.Dicom or MediaType.OctetStream))
            throw new MalformedAnswerException("The answer's type is not application/dicom.");
        if (start.IsEmpty && isAll) throw new MalformedAnswerException("The answer's body is empty.");
        if (Part10Identity.Read(start, Tag.SeriesInstanceUid, isAll) is not { } identity) return null;
        if (SeriesCheck.Read(identity, new(path.Study, path.Series)) != path)
            throw new MalformedAnswerException("The file holds another SOP instance than requested.");

        // The file's own transfer syntax takes precedence over the answer's headers (PS3.18 §8.7.9).
        var head = new EntryHead(BodyFormat.Dicom, identity.TransferSyntaxUid.ToString(), declared.Length);
        CheckForm(asked, head);
        _walk = new(identity.TransferSyntaxUid);
        return head;
    }

    public override void Follow(ReadOnlySpan<byte> bytes) => _walk!.Add(bytes);

    public override void CheckEnd()
    {
        if (_walk!.IsCut) throw new MalformedAnswerException("The file ends inside a data element.");
    }
}
