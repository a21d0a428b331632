using System.Net.Sockets;
using System.Security.Authentication;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Operations.Telemetry;
using Proxy.Wire;

namespace Proxy.Dimse;

/// <summary>One operation at a DIMSE backend.</summary>
/// <param name="Plan">The presentation contexts that it needs.</param>
/// <param name="Service">The service for the log, such as <c>C-FIND</c>.</param>
internal sealed record DimseRequest(ContextPlan Plan, string Service)
{
    /// <summary>What the operation fetches; null for a search of all studies.</summary>
    public FetchTarget? Target { get; init; }

    /// <summary>What a failure is evidence against.</summary>
    public FailureScope Scope { get; init; } = FailureScope.Search;

    /// <summary>A search or retrieval within one study.</summary>
    public static DimseRequest Within(ContextPlan plan, string service, Uid study, Uid? series = null) =>
        new(plan, service) { Target = new(study, series), Scope = FailureScope.Study };
}

/// <summary>Runs one operation on an association, subject to the backend's health. Failures are values.</summary>
/// <remarks>
/// <code>
/// 1 refuse     the circuit is open
/// 2 wait       for a permit: as many as Backends:{name}:MaxAssociations
/// 3 run        on an idle association or a new one; once more on a new one if the idle one had been closed
/// 4 record     the outcome
/// </code>
/// </remarks>
internal sealed class DimseClient(
    BackendSet backends, BackendStates states, BackendScheduler scheduler, BackendPermits permits, AssociationPool pool,
    DimseMetrics metrics, ILogger<DimseClient> log) : IDisposable
{
    /// <summary>The time limit of a health check.</summary>
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    private static readonly DimseRequest Probe = new(ContextPlan.Queries, "C-ECHO") { Scope = FailureScope.Probe };

    private readonly FailureLog _failures = new(metrics.Time, log);

    /// <summary>Runs an operation.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="request">The operation.</param>
    /// <param name="run">
    /// Sends and reads messages; throws <see cref="MalformedAnswerException"/> when they do not match the request.
    /// </param>
    /// <param name="deadline">Ends the wait when a fan-out cannot wait longer; the backend then counts as late.</param>
    /// <param name="cancellation">The caller's token; its cancellation is the only exception thrown.</param>
    public async Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, DimseRequest request, Func<Association, CancellationToken, Task<T>> run, CancellationToken deadline,
        CancellationToken cancellation)
    {
        if (CurrentPurpose.Value == RequestPurpose.Prefetch) request = request with { Scope = FailureScope.Prefetch };
        // 1
        if (states.FindRefusal(backend.Name) is { } refusal) return new(refusal);
        using var waiting = scheduler.BeginForeground(backend.Name, request.Target);
        var answer = await RunAsync(backend, request, run, deadline, cancellation);
        if (!backends.Has(backend))
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "it is no longer configured"));
        Record(backend, request, answer.Failure);
        return answer;
    }

    /// <summary>Runs an operation regardless of the backend's health, and records nothing.</summary>
    /// <inheritdoc cref="AskAsync"/>
    public async Task<BackendAnswer<T>> RunAsync<T>(
        BackendOptions backend, DimseRequest request, Func<Association, CancellationToken, Task<T>> run, CancellationToken deadline,
        CancellationToken cancellation)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellation);
        var isSent = false;
        try
        {
            // 2
            // Health checks pass while hanging operations hold every permit.
            using var permit = request.Scope == FailureScope.Probe ? null : await permits.AcquireAsync(backend.Name, both.Token);
            isSent = true;
            var started = metrics.Time.GetTimestamp();
            var value = await RunAsync(backend, request.Plan, run, both.Token);
            metrics.Traffic.GetBackend(backend.Name).RecordLatency(metrics.Time.GetElapsedTime(started));
            return new(value);
        }
        catch (Exception e) when (cancellation.IsCancellationRequested)
        {
            throw e as OperationCanceledException ?? new OperationCanceledException("The caller cancelled the operation.", e, cancellation);
        }
        catch (Exception) when (deadline.IsCancellationRequested)
        {
            return isSent
                ? new(new BackendFailure(backend.Name, BackendError.TimedOut, "no answer by the deadline"))
                : new(new BackendFailure(backend.Name, BackendError.Busy, "no association was free before the deadline"));
        }
        catch (Exception e) when (DimseFailures.Find(backend, e) is { } failure)
        {
            return new(failure);
        }
    }

    /// <summary>Records an outcome: for the circuit, and for the operator.</summary>
    public void Record(BackendOptions backend, DimseRequest request, BackendFailure? failure)
    {
        // A backend that stays down is reported once, not with every probe.
        var isKnown = request.Scope == FailureScope.Probe && !states.GetCircuit(backend.Name).IsClosed;
        if (failure is not null && !isKnown) _failures.Write(failure, request.Service);
        if (failure?.Error != BackendError.Busy) states.Record(backend.Name, new(request.Scope, request.Target?.Study), failure);
    }

    /// <summary>Sends a C-ECHO, and records whether the backend answers.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="stopping">Cancelled when the proxy stops.</param>
    public async Task ProbeAsync(BackendOptions backend, CancellationToken stopping)
    {
        using var timer = new CancellationTokenSource(ProbeTimeout, metrics.Time);
        var answer = await RunAsync(backend, Probe, EchoAsync, timer.Token, stopping);
        Record(backend, Probe, answer.Failure);
    }

    /// <summary>Sends C-ECHO, as an operation of <see cref="AskAsync"/>.</summary>
    public static async Task<bool> EchoAsync(Association association, CancellationToken cancellation)
    {
        await association.EchoAsync(cancellation);
        return true;
    }

    /// <summary>Releases the idle associations of a backend.</summary>
    public void Forget(string backend) => _ = pool.CloseAsync(backend).AsTask();

    /// <inheritdoc/>
    public void Dispose() => _failures.Dispose();

    // 3
    private async Task<T> RunAsync<T>(
        BackendOptions backend, ContextPlan plan, Func<Association, CancellationToken, Task<T>> run, CancellationToken ending)
    {
        for (var isFresh = false; ; isFresh = true)
        {
            var lease = await pool.TakeAsync(backend, plan, isFresh, ending);
            var before = lease.Association.Received;
            try
            {
                return await run(lease.Association, ending);
            }
            catch (AssociationException e) when (
                lease.IsReused && lease.Association.Received == before && e.End is AssociationEnd.Closed or AssociationEnd.Aborted)
            {
                // The peer ended the idle association before it read the request.
            }
            finally
            {
                await pool.ReturnAsync(lease);
            }
        }
    }
}

/// <summary>The clock and the counters of operations.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Traffic">Records how long operations take.</param>
internal sealed record DimseMetrics(TimeProvider Time, Traffic Traffic);

/// <summary>What exceptions of an operation mean.</summary>
internal static class DimseFailures
{
    /// <summary>The failure that an exception means; null for a defect of the proxy.</summary>
    public static BackendFailure? Find(BackendOptions backend, Exception exception) => exception switch
    {
        BackendBusyException busy => new(backend.Name, BackendError.Busy, busy.Message),
        AssociationException { Rejection: { } rejection } ended => FromRejection(backend, rejection, ended.Message),
        AssociationException { End: AssociationEnd.NoContext } none =>
            new(backend.Name, BackendError.BadStatus, none.Message, ErrorStatus.NotImplemented),
        ListenException closed => new(backend.Name, BackendError.Busy, closed.Message)
        {
            KnownRemedy = $"Set Backends:{backend.Name}:Listen to a free address of this machine.",
        },
        AssociationException ended => new(backend.Name, BackendError.Unreachable, ended.Message),
        DimseStatusException refused => FromStatus(backend, refused),
        MalformedAnswerException e => new(
            backend.Name, e.IsOtherRepresentation ? BackendError.NotInThisForm : BackendError.BadAnswer, e.Message),
        TimeoutException late => new(backend.Name, BackendError.TimedOut, late.Message)
        {
            KnownRemedy = $"Check the load of the PACS, or raise Backends:{backend.Name}:FirstAnswerTimeout.",
        },
        SocketException socket => new(backend.Name, BackendError.Unreachable, Describe(socket.SocketErrorCode))
        {
            IsConnectionFailure = true,
            KnownRemedy = $"Check Backends:{backend.Name}:Host and Port, and that the PACS runs.",
        },
        AuthenticationException => new(backend.Name, BackendError.Unreachable, "no TLS, or a certificate that is not trusted")
        {
            IsConnectionFailure = true,
            KnownRemedy = $"Check Backends:{backend.Name}:Tls, and the port.",
        },
        IOException => new(backend.Name, BackendError.Unreachable, "the connection closed"),
        _ => null,
    };

    private static BackendFailure FromRejection(BackendOptions backend, Rejection rejection, string message) => rejection switch
    {
        { IsTransient: true } => new(backend.Name, BackendError.Overloaded, message)
        {
            KnownRemedy = $"Lower Backends:{backend.Name}:MaxAssociations.",
        },
        { Source: 1, Reason: 7 } => new(backend.Name, BackendError.Refused, message, ErrorStatus.Rejected)
        {
            KnownRemedy = $"Set Backends:{backend.Name}:CalledAeTitle to the AE title of the PACS; case matters.",
        },
        { Source: 1, Reason: 3 } => new(backend.Name, BackendError.Refused, message, ErrorStatus.Rejected)
        {
            KnownRemedy = $"Add the AE title {backend.Dimse!.CallingAeTitle} and the address of the proxy to the PACS, "
                + $"or correct Backends:{backend.Name}:CallingAeTitle.",
        },
        _ => new(backend.Name, BackendError.Refused, message, ErrorStatus.Rejected),
    };

    private static BackendFailure FromStatus(BackendOptions backend, DimseStatusException refused) => refused.Status switch
    {
        0xA700 or 0xA701 or 0xA702 => new(backend.Name, BackendError.Overloaded, refused.Message),
        0x0122 or 0x0112 => new(backend.Name, BackendError.BadStatus, refused.Message, ErrorStatus.NotImplemented),
        0x0124 => new(backend.Name, BackendError.Refused, refused.Message, ErrorStatus.Rejected),
        0xA900 => new(backend.Name, BackendError.BadStatus, refused.Message, ErrorStatus.BadRequest),
        0xA801 => new(backend.Name, BackendError.Refused, refused.Message, ErrorStatus.Rejected)
        {
            KnownRemedy = $"Add the AE title {backend.Dimse!.CallingAeTitle} to the PACS as a destination of C-MOVE, with the address "
                + $"of the proxy and the port of Backends:{backend.Name}:Listen.",
        },
        _ => new(backend.Name, BackendError.BadStatus, refused.Message, ErrorStatus.ServerError),
    };

    private static string Describe(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "host name not found",
        SocketError.TimedOut => "no connection in time",
        SocketError.NetworkUnreachable or SocketError.HostUnreachable => "no route to the host",
        _ => "no connection",
    };
}
