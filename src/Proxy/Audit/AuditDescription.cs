using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>Decides which records a finished request causes. Used by one thread.</summary>
/// <param name="patients">Finds the patient of a study without asking a backend.</param>
/// <param name="send">Receives the records.</param>
/// <param name="open">The records of open windows on disk.</param>
internal sealed class AuditDescription(
    Func<Uid, CancellationToken, ValueTask<AuditPatient?>> patients, Func<AuditRecord, CancellationToken, ValueTask> send, OpenRecords open)
{
    /// <summary>The most credentials that are remembered as seen; the longest unused ones are forgotten, and recorded again.</summary>
    private const int MaxCredentials = 10_000;

    /// <summary>Kinds of windows beyond the status of a failure.</summary>
    private const int Denied = 1, Refusals = 2, Emergency = 1000;

    private readonly AuditWindows _windows = new();
    private readonly Dictionary<string, DateTimeOffset> _credentials = [];

    /// <summary>When the next window ends; null if none is open.</summary>
    public DateTimeOffset? NextEnd => _windows.NextEnd;

    /// <summary>Adds a request. A record is about one study (PS3.15 §A.5.3.6): one that names several counts as several.</summary>
    public async ValueTask AddAsync(FinishedRequest request, CancellationToken cancellation)
    {
        if (request.Study is not null || request.Notes.Studies.Count == 0)
        {
            await AddOneAsync(request, cancellation);
            return;
        }
        foreach (var study in request.Notes.Studies) await AddOneAsync(request with { Study = study }, cancellation);
    }

    /// <summary>Sends the records of the windows that are over.</summary>
    public async ValueTask EndWindowsAsync(DateTimeOffset now, CancellationToken cancellation)
    {
        foreach (var record in _windows.End(now))
        {
            await send(record, cancellation);
            if (record.Outcome == 0) OnDisk(() => open.Close(record.Id));
        }
    }

    private async ValueTask AddOneAsync(FinishedRequest request, CancellationToken cancellation)
    {
        if (IsNewCredential(request.Caller, request.Time)) await SendForUserAsync(AuditEventType.Login);
        await WarnAsync(request, cancellation);
        if (request.Subject == AuditSubject.None && !request.IsRefused) return;
        if (request.Subject == AuditSubject.SignOut && !request.IsRefused)
        {
            if (!request.Caller.IsAnonymous) await SendForUserAsync(AuditEventType.Logout);
            return;
        }
        var isJoined = request.Outcome != 0 || AuditSubjects.IsAggregated(request.Subject);
        var key = isJoined ? GetKey(request) : default;
        // Most frames end here.
        if (isJoined && _windows.TryAdd(key, request) > 0) return;
        // Who could not be authenticated has not reached a resource.
        var record = request.Status == StatusCodes.Status401Unauthorized
            ? AuditRecords.CreateForUser(request, AuditEvent.UserAuthentication, AuditEventType.Login, reason: null)
            : AuditRecords.Create(request);
        record = await WithPatientAsync(record, cancellation);
        if (isJoined) _windows.Open(key, request, record);
        if (isJoined && record.Outcome == 0) OnDisk(() => open.Open(record, request.Time));
        if (!isJoined || record.Outcome != 0) await send(record, cancellation);

        ValueTask SendForUserAsync(AuditEventType type) =>
            send(AuditRecords.CreateForUser(request, AuditEvent.UserAuthentication, type, reason: null), cancellation);
    }

    /// <summary>Raises an alert about an emergency access, once per study, and about repeated refusals, once per window.</summary>
    private async ValueTask WarnAsync(FinishedRequest request, CancellationToken cancellation)
    {
        if (request.Notes.IsEmergency)
        {
            var key = GetKey(request) with { Subject = AuditSubject.None, Backend = "", Kind = Emergency };
            if (request.Notes.BeginsEmergency || Count(key, request) == 1)
            {
                var record = AuditRecords.CreateForUser(
                    request, AuditEvent.SecurityAlert, AuditEventType.EmergencyOverride, request.Notes.Reason ?? "");
                await send(await WithPatientAsync(record, cancellation), cancellation);
            }
        }
        if (!request.IsRefused) return;
        var refusals = GetKey(request) with { Subject = AuditSubject.None, Study = null, Backend = "", Kind = Refusals };
        if (Count(refusals, request) == AuditWindows.AlarmingRefusals)
            await send(
                AuditRecords.CreateForUser(
                    request, AuditEvent.SecurityAlert, AuditEventType.NodeAuthentication,
                    $"{AuditWindows.AlarmingRefusals} requests were refused within {AuditWindows.Length.TotalMinutes} minutes"),
                cancellation);
    }

    /// <summary>A disk that fails also fails the outbox, which reports it.</summary>
    private static void OnDisk(Action change)
    {
        try
        {
            change();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The record of the window is in memory.
        }
    }

    /// <summary>The number of requests in a window that only counts.</summary>
    private int Count(in AuditWindows.Key key, in FinishedRequest request)
    {
        if (_windows.TryAdd(key, request) is var count and > 0) return count;
        _windows.Open(key, request, record: null);
        return 1;
    }

    private static AuditWindows.Key GetKey(in FinishedRequest request)
    {
        var backends = request.Notes.Backends;
        var kind = request.Notes.Outcome == AccessOutcome.Denied ? Denied : request.Outcome == 0 ? 0 : request.Status;
        return new(
            request.Caller.Issuer, request.Caller.Id, request.Address, request.Subject, request.Study,
            backends.Count switch
            {
                0 => request.Backend ?? "",
                1 => backends[0],
                _ => string.Join(',', backends),
            },
            request.Notes.IsEmergency ? kind + Emergency : kind);
    }

    private async ValueTask<AuditRecord> WithPatientAsync(AuditRecord record, CancellationToken cancellation) =>
        record is { Patient: null, Study: { } study } && Uid.TryParse(study, out var uid)
        && await patients(uid, cancellation) is { } patient
            ? record with { Patient = patient }
            : record;

    private bool IsNewCredential(Caller caller, DateTimeOffset now)
    {
        if (caller.IsAnonymous) return false;
        var key = caller.Key.Length > 0 ? caller.Key : $"{caller.Issuer}\n{caller.Id}";
        var isNew = !_credentials.ContainsKey(key);
        _credentials[key] = now;
        if (_credentials.Count > MaxCredentials)
        {
            foreach (var (old, _) in _credentials.OrderBy(seen => seen.Value).Take(MaxCredentials / 2).ToList()) _credentials.Remove(old);
        }
        return isNew;
    }
}
