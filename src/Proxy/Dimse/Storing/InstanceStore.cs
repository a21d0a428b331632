using System.IO.Pipelines;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;

namespace Proxy.Dimse.Storing;

/// <summary>Sends the instances of a STOW-RS request to a PACS by C-STORE, one after the other, as they arrive (PS3.4 §B).</summary>
/// <remarks>
/// <code>
/// 1 pipe      the body of the client, at its pace; at most 1 MiB is held
/// 2 head      of each file: its UIDs and transfer syntax
/// 3 store     on an association whose one context has the SOP class and the transfer syntax of the file: nothing is converted
/// 4 note      the status of each instance (StoreResults)
/// </code>
/// After a failure of the PACS the rest of the body is only read, so that the answer names what was not stored. Metadata with bulk data
/// (PS3.18 §10.5.2) is refused.
/// </remarks>
/// <param name="client">Runs the operations.</param>
internal sealed class InstanceStore(DimseClient client)
{
    /// <summary>The most bytes of the body between the client and the PACS.</summary>
    private const int MaxHeldBytes = 1024 * 1024;

    /// <summary>Stores the instances of a request.</summary>
    /// <inheritdoc cref="IArchive.StoreAsync"/>
    public async Task<StoreOutcome> StoreAsync(BackendOptions backend, StoreRequest request, CancellationToken cancellation)
    {
        if (MediaType.Parse(request.Form.Find("type"))?.Is(BodyFormat.Dicom) != true)
            return new(new(StoreStatus.UnsupportedForm, "", default, []), null, null, IsUnknown: false);
        var results = new StoreResults(request);
        BackendFailure? failure = null;
        Exception? clientError = null;
        // 1
        var pipe = new Pipe(new(
            pauseWriterThreshold: MaxHeldBytes, resumeWriterThreshold: MaxHeldBytes / 2, useSynchronizationContext: false));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var writing = WriteAsync(request, pipe.Writer, stop.Token);
        try
        {
            using var parts = new MultipartReader(pipe.Reader.AsStream(), request.Form.Find("boundary"));
            while (await parts.ReadPartAsync(stop.Token) is not null)
            {
                // 2
                var file = await StoredFile.ReadAsync(parts, stop.Token);
                if (file is null) results.AddUnreadable();
                else if (request.Study is { } study && file.Path.Study != study) results.Add(file, StoreResults.OtherStudy);
                else if (failure is not null) results.Add(file, StoreResults.ProcessingFailure);
                // 3
                else failure = await StoreAsync(backend, file, results, stop.Token);
            }
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested && FindClientError(e) is { } error)
        {
            clientError = error;
        }
        finally
        {
            await stop.CancelAsync();
            await pipe.Reader.CompleteAsync();
            clientError = await writing ?? clientError;
        }
        if (clientError is not null) return new(null, failure, clientError, results.IsSent);
        return failure is not null && !results.HasAnswers
            ? new(null, failure, null, results.IsSent)
            : new(results.Build(), null, null, IsUnknown: false);
    }

    /// <summary>Stores one instance; the failure of the PACS, or null when it answered.</summary>
    private async Task<BackendFailure?> StoreAsync(
        BackendOptions backend, StoredFile file, StoreResults results, CancellationToken cancellation)
    {
        var request = DimseRequest.Within(
            ContextPlan.ForStorage(file.SopClass, file.TransferSyntax), "C-STORE", file.Path.Study, file.Path.Series);
        var answer = await client.AskAsync(backend, request, RunAsync, CancellationToken.None, cancellation);
        // 4
        if (answer.Failure is { } failure)
        {
            results.Add(file, StoreResults.ProcessingFailure);
            return failure;
        }
        if (answer.Value is { } status) results.AddAnswer(file, status);
        else results.AddAnswer(file, DimseStatus.SopClassNotSupported);
        return null;

        async Task<ushort?> RunAsync(Association association, CancellationToken stopped)
        {
            if (association.FindContext(file.SopClass) is not { } context) return null;
            if (file.IsSent) throw new AssociationException(AssociationEnd.Closed, "it closed the connection while an instance was sent");
            results.IsSent = true;
            return await association.StoreAsync(context, file.Path.Instance, file.ReadAsync, stopped);
        }
    }

    /// <summary>Copies the body of the client; the exception with which it ended, or null.</summary>
    private static async Task<Exception?> WriteAsync(StoreRequest request, PipeWriter output, CancellationToken cancellation)
    {
        try
        {
            await request.WriteAsync(output.AsStream(leaveOpen: true), cancellation);
            await output.CompleteAsync();
            return null;
        }
        catch (Exception e)
        {
            await output.CompleteAsync(new ClientException(e));
            return e is OperationCanceledException && cancellation.IsCancellationRequested ? null : e;
        }
    }

    private static Exception? FindClientError(Exception e) => e switch
    {
        ClientException { InnerException: { } cause } => cause,
        MalformedAnswerException => e,
        _ => null,
    };
}

/// <summary>The body of the client ended early, which is no failure of the PACS.</summary>
/// <param name="cause">What the body ended with.</param>
internal sealed class ClientException(Exception cause) : Exception("The client did not send the whole body.", cause);
