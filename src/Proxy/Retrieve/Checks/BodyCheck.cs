using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Checks whether the body of an answer can be the requested object: by its type and first bytes before a client receives any, by
/// its length at the end.
/// </summary>
/// <remarks>A status of 200 proves nothing: log-in pages, error documents and empty bodies also come with 200.</remarks>
internal abstract class BodyCheck
{
    /// <summary>The head of the body as reported to clients; null when more of its beginning is needed.</summary>
    /// <param name="declared">The head that the answer declares.</param>
    /// <param name="start">The first bytes.</param>
    /// <param name="isAll">True when no more bytes follow, or no more are checked.</param>
    /// <exception cref="MalformedAnswerException">It is not the requested object.</exception>
    public abstract EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll);

    /// <summary>Sees every byte, in order, once the start was accepted.</summary>
    public virtual void Follow(ReadOnlySpan<byte> bytes)
    {
    }

    /// <summary>Checks the end of the body.</summary>
    /// <exception cref="MalformedAnswerException">The bytes that were followed end too early.</exception>
    public virtual void CheckEnd()
    {
    }

    /// <summary>Whether a complete body has this length; null when the correct length is not known.</summary>
    public virtual bool? IsLength(EntryHead head, long length) => null;

    /// <summary>True when the correct length is known, so that a truncated body would be detected.</summary>
    public virtual bool KnowsLength(EntryHead head) => false;

    /// <summary>Checks that the body has a requested form.</summary>
    /// <exception cref="MalformedAnswerException">
    /// It has another form: an archive that cannot transcode sends the stored form.
    /// </exception>
    protected static void CheckForm(RequestedForms asked, EntryHead head)
    {
        if (!asked.AreSatisfiedBy(head.MediaType, head.TransferSyntax))
            throw new MalformedAnswerException("The answer is not in a requested form.") { IsOtherRepresentation = true };
    }

    /// <summary>Checks the length of the complete body.</summary>
    /// <exception cref="MalformedAnswerException">The body is empty, or does not have its correct length.</exception>
    public void CheckLength(EntryHead head, long length)
    {
        if (length == 0) throw new MalformedAnswerException("The answer's body is empty.");
        if (IsLength(head, length) == false)
            throw new MalformedAnswerException("The length of the answer's body contradicts its header or its metadata.");
    }
}
