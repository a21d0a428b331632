using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Decides whether the body of an answer can be what was asked for: by its type and first bytes before a client gets any, by
/// its length at the end.
/// </summary>
/// <remarks>A status of 200 proves nothing: log-in pages, error documents and empty bodies come with it too.</remarks>
internal abstract class BodyCheck
{
    /// <summary>What an answer is of that names no type; null: it has to name one.</summary>
    public virtual MediaType? TypeOfNone => null;

    /// <summary>What the body is, as clients are told; null when more of its beginning is needed.</summary>
    /// <param name="declared">What the answer says of it.</param>
    /// <param name="start">Its first bytes.</param>
    /// <param name="isAll">No more bytes are to come, or no more are looked at.</param>
    /// <exception cref="MalformedAnswerException">It is not what was asked for.</exception>
    public abstract EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll);

    /// <summary>Whether a body of this length can be whole; null when nothing tells.</summary>
    public virtual bool? IsLength(EntryHead head, long length) => null;

    /// <summary>Whether the length of a body that was cut would show.</summary>
    public virtual bool KnowsLength(EntryHead head) => false;

    /// <exception cref="MalformedAnswerException">
    /// The form was not asked for: an archive that cannot transcode sends what it has.
    /// </exception>
    protected static void CheckForm(AskedForms asked, EntryHead head)
    {
        if (!asked.AreMetBy(head.MediaType, head.TransferSyntax))
            throw new MalformedAnswerException("The answer is in another form than was asked for.") { IsOtherForm = true };
    }

    /// <exception cref="MalformedAnswerException">The body is empty, or not as long as it has to be.</exception>
    public void CheckLength(EntryHead head, long length)
    {
        if (length == 0) throw new MalformedAnswerException("The answer's body is empty.");
        if (IsLength(head, length) == false) throw new MalformedAnswerException("The answer's body is not as long as its metadata says.");
    }
}
