using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>Makes records of requests, by the events of DICOM PS3.15 §A.5.3; docs/audit.md has the table.</summary>
internal static class AuditRecords
{
    /// <summary>The identity of a record: a UUID that begins with its time (RFC 9562 §5.7).</summary>
    public static string CreateId(DateTimeOffset time) => Guid.CreateVersion7(time).ToString();

    /// <summary>The record of one request.</summary>
    public static AuditRecord Create(in FinishedRequest request)
    {
        var path = FindPath(request);
        var (kind, type, action) = Classify(request, path.Study is not null);
        return new()
        {
            Id = CreateId(request.Time),
            Time = request.Time,
            Event = kind,
            Type = type,
            Action = action,
            Outcome = request.Outcome,
            OutcomeText = GetOutcomeText(request),
            UserId = request.Caller.Id,
            Issuer = request.Caller.Issuer,
            UserName = request.Caller.Name,
            Address = ShowAddress(request),
            UserAgent = request.UserAgent,
            Subject = AuditSubjects.GetName(request.Subject),
            Study = path.Study,
            Series = path.Series,
            Instance = path.Instance,
            Backends = GetBackends(request),
            Query = GetQuery(request),
            Source = request.Source?.ToString().ToLowerInvariant(),
            IsEmergency = request.Notes.IsEmergency,
            // What was purged or refused is not a study.
            Reason = request.Notes.Reason ?? (kind == AuditEvent.SecurityAlert ? request.Path : null),
        };
    }

    /// <summary>A record about the user of a request, instead of what they read.</summary>
    /// <param name="request">The request.</param>
    /// <param name="kind">The event.</param>
    /// <param name="type">The type of the event.</param>
    /// <param name="reason">What happened; null for none.</param>
    public static AuditRecord CreateForUser(in FinishedRequest request, AuditEvent kind, AuditEventType type, string? reason) => new()
    {
        Id = CreateId(request.Time),
        Time = request.Time,
        Event = kind,
        Type = type,
        Action = "E",
        Outcome = kind == AuditEvent.UserAuthentication && request.Status != 401 ? 0 : request.IsRefused ? 4 : 0,
        OutcomeText = kind == AuditEvent.UserAuthentication && request.Status != 401 ? null : GetOutcomeText(request),
        UserId = request.Caller.Id,
        Issuer = request.Caller.Issuer,
        UserName = request.Caller.Name,
        Address = ShowAddress(request),
        UserAgent = request.UserAgent,
        Study = FindPath(request).Study,
        IsEmergency = request.Notes.IsEmergency,
        Reason = reason,
    };

    /// <summary>A record about the proxy itself.</summary>
    public static AuditRecord CreateForProxy(
        AuditEvent kind, AuditEventType type, DateTimeOffset time, string? reason = null, int outcome = 0) => new()
        {
            Id = CreateId(time),
            Time = time,
            Event = kind,
            Type = type,
            Action = "E",
            Outcome = outcome,
            Reason = reason,
        };

    /// <summary>The UIDs of what a request reads; text that is not a UID is left out.</summary>
    public static (string? Study, string? Series, string? Instance) FindPath(in FinishedRequest request)
    {
        // /store/instance?imageId=…
        if (request is { Subject: AuditSubject.Store, Study: null } && FindParameter(request.Query, "imageId") is { } text
            && ImageId.TryParse(text, out var id))
            return (id.Instance.Study.ToString(), id.Instance.Series.ToString(), id.Instance.Instance.ToString());
        return (Check(request.Study), Check(request.Series), Check(request.Instance));

        static string? Check(string? text) => Uid.TryParse(text, out var uid) ? uid.ToString() : null;
    }

    private static (AuditEvent Event, AuditEventType Type, string Action) Classify(in FinishedRequest request, bool hasStudy) =>
        request.Subject switch
        {
            AuditSubject.Search or AuditSubject.CachedStudies or AuditSubject.Events => (AuditEvent.Query, default, "E"),
            AuditSubject.Instances => (AuditEvent.InstancesTransferred, default, "R"),
            AuditSubject.Stow => (AuditEvent.InstancesTransferred, default, "C"),
            AuditSubject.Prefetch => (AuditEvent.BeginTransferring, default, "E"),
            AuditSubject.Purge when hasStudy => (AuditEvent.StudyDeleted, default, "D"),
            AuditSubject.Purge or AuditSubject.None => (AuditEvent.SecurityAlert, AuditEventType.RestrictedFunction, "E"),
            // A part of a study is deleted, or a rejection note hides it.
            AuditSubject.Deletion => (
                request.Series is null && HttpMethods.IsDelete(request.Method) ? AuditEvent.StudyDeleted : AuditEvent.InstancesAccessed,
                default, "D"),
            AuditSubject.Forwarded => (AuditEvent.InstancesAccessed, default, GetAction(request.Method)),
            _ => (AuditEvent.InstancesAccessed, default, "R"),
        };

    private static string GetAction(string method) =>
        HttpMethods.IsPost(method) ? "C" : HttpMethods.IsPut(method) || HttpMethods.IsPatch(method) ? "U"
        : HttpMethods.IsDelete(method) ? "D" : "R";

    private static string? GetOutcomeText(in FinishedRequest request) =>
        request.Notes.Outcome == AccessOutcome.Denied ? "denied"
        : request.Status >= 400 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"status {request.Status}")
        : null;

    private static IReadOnlyList<string> GetBackends(in FinishedRequest request) =>
        request.Notes.Backends.Count > 0 || request.Backend is null ? request.Notes.Backends : [request.Backend];

    private static string ShowAddress(in FinishedRequest request) =>
        request.Address is { } address ? (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString() : "";

    /// <summary>The request line of a search or a forwarded request, without values that may be secrets.</summary>
    private static string? GetQuery(in FinishedRequest request)
    {
        if (request.Subject is not (AuditSubject.Search or AuditSubject.CachedStudies or AuditSubject.Events or AuditSubject.Forwarded))
            return null;
        var parameters = request.Query.TrimStart('?').Split('&').Select(HideSecret);
        return $"{request.Path}{(request.Query.Length > 1 ? "?" : "")}{string.Join('&', parameters)}";
    }

    private static string HideSecret(string parameter)
    {
        var name = parameter.Split('=', 2)[0];
        return SettingsReader.MayBeSecret(Uri.UnescapeDataString(name)) ? $"{name}={SettingsInForce.Hidden}" : parameter;
    }

    private static string? FindParameter(string query, string name) =>
        query.TrimStart('?').Split('&').Select(p => p.Split('=', 2)).Where(p => p.Length == 2 && p[0] == name)
            .Select(p => Uri.UnescapeDataString(p[1])).FirstOrDefault();
}
