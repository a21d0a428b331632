using System.Collections.Immutable;

namespace Proxy.Dimse.Protocol;

/// <summary>How an association begins: the proxy requests it, or accepts the request of a peer (PS3.8 §9.2).</summary>
internal sealed partial class Association
{
    private Association(
        PduStream stream, AssociationLimits limits, uint maxPduBytes, IEnumerable<PresentationContext> contexts,
        ImmutableHashSet<string> receivedClasses)
    {
        (_stream, _limits) = (stream, limits);
        var max = maxPduBytes is 0 or > MaxPduBytes ? MaxPduBytes : (int)maxPduBytes;
        _maxFragmentBytes = max - PduWriter.PdvHeadBytes & ~1;
        if (_maxFragmentBytes < 2) throw PduReader.Malformed("The peer receives PDUs of less than 8 bytes (PS3.8 §D.1).");
        _contexts = contexts.ToImmutableDictionary(c => c.Id);
        ReceivedClasses = receivedClasses;
    }

    /// <summary>Requests an association.</summary>
    /// <param name="stream">The connection. The association disposes of it, and so does a request that fails.</param>
    /// <param name="request">The request.</param>
    /// <param name="limits">The time limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <exception cref="AssociationException">The peer rejected it or closed the connection.</exception>
    /// <exception cref="TimeoutException">The peer did not answer.</exception>
    /// <exception cref="Wire.MalformedAnswerException">The answer is not valid.</exception>
    public static async Task<Association> RequestAsync(
        Stream stream, AssociatePdu request, AssociationLimits limits, TimeProvider time, CancellationToken cancellation)
    {
        var pdus = new PduStream(stream, time) { Limit = limits.Association };
        // One limit for the whole answer: a peer that sends it byte by byte is late too.
        using var timer = new CancellationTokenSource(limits.Association, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            await pdus.WriteAsync(PduWriter.Write(PduType.AssociateRequest, request), either.Token);
            var (type, length) = await pdus.ReadHeadAsync(either.Token);
            if (length > PduReader.MaxAssociateBytes) throw PduReader.Malformed("An answer to an association is too long.");
            var content = await ReadAllAsync(pdus, (int)length, either.Token);
            return type switch
            {
                PduType.AssociateAccept => Open(pdus, limits, request, PduReader.ReadAssociate(content)),
                PduType.AssociateReject => throw AssociationException.From(PduReader.ReadRejection(content)),
                PduType.Abort => throw Aborted(content),
                _ => throw PduReader.Malformed("The answer to an association is no such answer (PS3.8 §9.2)."),
            };
        }
        catch (Exception e)
        {
            await pdus.CloseAsync(PduWriter.WriteAbort());
            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
                throw new TimeoutException("no answer to the association in time", e);
            throw;
        }
    }

    /// <summary>Reads the request of a peer, and accepts or rejects it.</summary>
    /// <param name="stream">The connection. The association disposes of it, and so does a request that fails.</param>
    /// <param name="decide">The answer to a request: an acceptance, or null with the reason.</param>
    /// <param name="limits">The time limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Cancels the wait for the request.</param>
    /// <returns>The association with the request; null after a rejection.</returns>
    /// <exception cref="AssociationException">The peer closed the connection.</exception>
    /// <exception cref="TimeoutException">No request arrived.</exception>
    /// <exception cref="Wire.MalformedAnswerException">The bytes are no request.</exception>
    public static async Task<(Association Association, AssociatePdu Request)?> AcceptAsync(
        Stream stream, Func<AssociatePdu, (AssociatePdu? Accept, Rejection Rejection)> decide, AssociationLimits limits, TimeProvider time,
        CancellationToken cancellation)
    {
        var pdus = new PduStream(stream, time) { Limit = limits.Association };
        using var timer = new CancellationTokenSource(limits.Association, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            var (type, length) = await pdus.ReadHeadAsync(either.Token);
            if (type != PduType.AssociateRequest || length > PduReader.MaxAssociateBytes)
                throw PduReader.Malformed("A connection does not begin with a request for an association (PS3.8 §9.2).");
            var request = PduReader.ReadAssociate(await ReadAllAsync(pdus, (int)length, either.Token));
            var (accept, rejection) = decide(request);
            if (accept is null)
            {
                await pdus.CloseAsync(PduWriter.Write(rejection));
                return null;
            }
            var accepted = accept.Contexts.Where(context => context.Result == ContextResult.Acceptance).DistinctBy(c => c.Id).ToList();
            // Without role items the requester sends, and the acceptor receives.
            var association = new Association(
                pdus, limits, request.MaxPduBytes, accepted, [.. accepted.Select(c => c.AbstractSyntax).Where(SopClass.IsStorage)]);
            await pdus.WriteAsync(PduWriter.Write(PduType.AssociateAccept, accept), either.Token);
            return (association, request);
        }
        catch (Exception e)
        {
            await pdus.CloseAsync(PduWriter.WriteAbort());
            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
                throw new TimeoutException("no request for an association in time", e);
            throw;
        }
    }

    private static Association Open(PduStream stream, AssociationLimits limits, AssociatePdu request, AssociatePdu accept)
    {
        var proposed = request.Contexts.ToDictionary(context => context.Id);
        var contexts = accept.Contexts
            .Where(c => c.Result == ContextResult.Acceptance && proposed.ContainsKey(c.Id) && c.TransferSyntaxes.Length == 1)
            .DistinctBy(c => c.Id)
            .Select(c => c with { AbstractSyntax = proposed[c.Id].AbstractSyntax });
        // Without an answer the roles are the default ones, in which a requester receives nothing (PS3.7 §D.3.3.4).
        return new(
            stream, limits, accept.MaxPduBytes, contexts,
            [.. accept.Roles.Where(role => role.Roles.HasFlag(DimseRoles.Scp)).Select(role => role.SopClass)]);
    }

    private static async Task<byte[]> ReadAllAsync(PduStream pdus, int length, CancellationToken cancellation)
    {
        var content = new byte[length];
        for (var filled = 0; filled < length;) filled += await pdus.ReadAsync(content.AsMemory(filled), cancellation);
        return content;
    }
}
