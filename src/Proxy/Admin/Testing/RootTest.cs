using System.Net;
using System.Text.RegularExpressions;
using Proxy.Backends;
using Proxy.Dicom;
using static Proxy.Admin.Testing.Finding;

namespace Proxy.Admin.Testing;

/// <summary>Tests whether a backend can be reached, accepts the credential, and is a DICOMweb root.</summary>
/// <param name="backend">The backend.</param>
/// <param name="requests">Sends requests to it.</param>
internal sealed partial class RootTest(BackendOptions backend, TestRequests requests)
{
    /// <summary>The first request of a test: it is answered by every DICOMweb root that has studies (PS3.18 §10.6).</summary>
    public const string FirstRequest = "studies?limit=5";

    /// <summary>Where archives have their DICOMweb root: Orthanc, dcm4chee, and others.</summary>
    private static readonly string[] WellKnownPaths =
        ["/dicom-web", "/dicomweb", "/dcm4chee-arc/aets/DCM4CHEE/rs", "/rs", "/qido-rs", "/v2", "/api/dicom-web"];

    private string Key => $"Backends:{backend.Name}";

    /// <summary>Judges the first answer: reachable, authentication, root.</summary>
    /// <param name="first">The answer to <see cref="FirstRequest"/>.</param>
    /// <param name="rows">Its rows; null when it is not DICOM JSON.</param>
    public async Task<IReadOnlyList<Finding>> JudgeAsync(TestAnswer first, IReadOnlyList<Dataset>? rows)
    {
        if (first.Failure is { Error: BackendError.Unreachable or BackendError.TimedOut or BackendError.Busy } failure)
            return [new(Reachable, Outcome.Failed, failure.Detail, FindRemedy(failure))];
        if (first.Failure is { Error: BackendError.Refused } missing)
            return [new(Authentication, Outcome.Failed, missing.Detail, $"see {Key}:Authentication")];
        var reachable = new Finding(Reachable, Outcome.Ok, first.Summary);
        if (first.Failure is { } malformed) return [reachable, new(Root, Outcome.Failed, malformed.Detail, AddressRemedy)];
        var status = (int)first.Status;
        if (first.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            return [reachable, new(Authentication, Outcome.Failed, DescribeRefusal(status), $"set {Key}:Authentication")];
        if (first.Status is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
        {
            return
            [
                new(Reachable, Outcome.Failed, $"{status}: the PACS is overloaded or not ready", "wait, and test again; or lower "
                    + $"{Key}:MaxConcurrentRequests"),
            ];
        }
        var authentication = JudgeCredential();
        if (rows is not null) return [reachable, authentication, new(Root, Outcome.Ok, "answers DICOMweb searches")];
        if (status is >= 300 and < 400)
        {
            return
            [
                reachable, authentication,
                new(Root, Outcome.Failed, $"{status}: the PACS redirects to another address",
                    $"set {Key}:Address to that address (https instead of http?), or set {Key}:Authentication if it is a log-in page"),
            ];
        }
        if (status >= 500)
            return [reachable, authentication, new(Root, Outcome.Failed, $"{status}: the PACS has an error", "see the log of the PACS")];
        return [reachable, authentication, await FindRootAsync(first)];
    }

    private string AddressRemedy => $"set {Key}:Address to the DICOMweb root of the PACS";

    private string DescribeRefusal(int status) => backend switch
    {
        { Credential: null } => $"{status}: the PACS requires a credential, and none is set",
        { ForwardsToken: true } => $"{status}: the PACS refuses the token of the user who tests it, or that user has none",
        _ => $"{status}: the PACS refuses the credential",
    };

    private Finding JudgeCredential()
    {
        if (backend.Credential is null) return new(Authentication, Outcome.Ok, "none required");
        var isOpen = backend.Address.Scheme == Uri.UriSchemeHttp && !backend.Address.IsLoopback;
        return isOpen
            ? new(Authentication, Outcome.Warning, "accepted, but sent without encryption", $"use https in {Key}:Address")
            : new(Authentication, Outcome.Ok, "accepted");
    }

    /// <summary>The address has no DICOMweb root: tries where archives usually have it.</summary>
    private async Task<Finding> FindRootAsync(TestAnswer first)
    {
        var configured = backend.Address.AbsolutePath.TrimEnd('/');
        string[] paths = [configured + "/rs", configured + "/dicom-web", .. WellKnownPaths];
        var tried = $"not a DICOMweb root: tried \"studies\" below the address, found {first.Kind}";
        foreach (var path in paths.Where(path => path != configured).Distinct())
        {
            var answer = await requests.AskForJsonAsync(FirstRequest, rootPath: path);
            if (answer.Failure is { Error: BackendError.Unreachable or BackendError.TimedOut }) break;
            if (await answer.FindDatasetsAsync(1, CancellationToken.None) is null) continue;
            // Clients may read the report: it names usual paths only, never the configured one.
            var isBelow = configured.Length > 0 && path.StartsWith(configured + "/", StringComparison.Ordinal);
            return isBelow
                ? new(
                    Root, Outcome.Failed, $"{tried}; found a DICOMweb root at {path[configured.Length..]} below it",
                    $"append {path[configured.Length..]} to {Key}:Address")
                : new(Root, Outcome.Failed, $"{tried}; found a DICOMweb root at {path}", $"end {Key}:Address with {path}");
        }
        return new(Root, Outcome.Failed, $"{tried}; the usual paths are no roots either", AddressRemedy);
    }

    private string FindRemedy(BackendFailure failure) => failure.Detail switch
    {
        var detail when detail.StartsWith("certificate", StringComparison.Ordinal) =>
            $"install the certificate of its issuer on this machine, or correct the host in {Key}:Address; for a test only: "
            + $"{Key}:HttpClient:DangerousAcceptAnyServerCertificate=true",
        var detail when detail.StartsWith("no TLS", StringComparison.Ordinal) => $"use http in {Key}:Address, or the port of https",
        var detail when detail.StartsWith("host name", StringComparison.Ordinal) => $"correct the host in {Key}:Address, or the DNS",
        var detail when detail.StartsWith("connection refused", StringComparison.Ordinal) =>
            $"start the PACS, or correct the port in {Key}:Address",
        _ => $"check the PACS, the network and firewalls between, and {Key}:Address",
    };

    /// <summary>Product and version as the backend calls itself; null when it does not.</summary>
    public async Task<string?> FindProductAsync(string? server)
    {
        const string orthancRoot = "/dicom-web";
        var path = backend.Address.AbsolutePath.TrimEnd('/');
        if (path.EndsWith(orthancRoot, StringComparison.Ordinal))
        {
            var answer = await requests.AskAsync(new("system", "application/json") { RootPath = path[..^orthancRoot.Length] });
            if (answer is { Failure: null, Status: HttpStatusCode.OK } && OrthancVersion().Match(answer.Text) is { Success: true } match
                && answer.Text.Contains("\"ApiVersion\"", StringComparison.Ordinal))
                return "Orthanc " + match.Groups[1].Value;
        }
        return server is not null && ProductToken().Match(server) is { Success: true } token ? token.Value.Replace('/', ' ') : null;
    }

    [GeneratedRegex("\"Version\"\\s*:\\s*\"([0-9A-Za-z.+-]{1,24})\"")]
    private static partial Regex OrthancVersion();

    // The first product of the header (RFC 9110 §10.2.4); comments may name the host.
    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]{1,31}(/[0-9A-Za-z.+-]{1,24})?(?![^ ;(])")]
    private static partial Regex ProductToken();
}
