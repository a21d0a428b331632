using System.Net;
using Proxy.Audit;
using Proxy.Identity;
using Proxy.Operations;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Audit;

/// <summary>Which records the requests of clients cause.</summary>
public sealed class AuditDescriptionTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Start = SampleRecords.Time;

    private readonly List<AuditRecord> _records = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("open-").FullName;
    private readonly OpenRecords _open;
    private readonly AuditDescription _description;
    private DateTimeOffset _now = Start;

    public AuditDescriptionTests()
    {
        _open = new(_folder);
        _description = new(
            (_, _) => ValueTask.FromResult<AuditPatient?>(new("P7", "DOE^JANE")),
            (record, _) =>
            {
                _records.Add(record);
                return ValueTask.CompletedTask;
            },
            _open);
    }

    public async ValueTask DisposeAsync()
    {
        _open.Dispose();
        await Until.DeletedAsync(_folder);
    }

    [Fact]
    public async Task JoinsTheFramesOfFiveMinutes()
    {
        for (var i = 0; i < 300; i++) await AddAsync(Frame($"1.2.1.{i}") with { Source = i == 0 ? CacheStatus.Miss : CacheStatus.Hit });
        Assert.Empty(_records);
        await PassAsync(AuditWindows.Length);

        var record = Assert.Single(_records);
        Assert.Equal(new(300, 300, 299, 1, Start), record.Counts);
        Assert.Equal((AuditEvent.InstancesAccessed, "1.2", "1.3", null), (record.Event, record.Study, record.Series, record.Instance));
        Assert.Equal((Start, new AuditPatient("P7", "DOE^JANE")), (record.Time, record.Patient));

        await AddAsync(Frame("1.2.1.1"));
        await PassAsync(AuditWindows.Length);
        Assert.Equal(2, _records.Count);
    }

    /// <summary>T30: a look at frames is recorded, although the process is killed within the five minutes.</summary>
    [Fact]
    public async Task T30_LeavesTheOpenRecordsToTheNextProcess()
    {
        await AddAsync(Frame("1.2.1.1"));
        await PassAsync(AuditWindows.Length);
        await AddAsync(Frame("1.2.1.2") with { Study = "1.5" });
        // A later turn: the file of the first one is still open.
        _now += AuditWindows.Length * 2;
        await AddAsync(Frame("1.2.1.3") with { Study = "1.6" });
        await File.AppendAllTextAsync(Path.Combine(_folder, "open.0"), "{\"Id\":\"torn", TestContext.Current.CancellationToken);

        using var next = new OpenRecords(_folder);
        Assert.Equal(["1.5", "1.6"], next.TakeLeft().Select(record => record.Study).Order());
        Assert.Empty(next.TakeLeft());
        Assert.Equal("1.2", Assert.Single(_records).Study);
    }

    [Fact]
    public async Task TellsUsersStudiesBackendsAndAddressesApart()
    {
        await AddAsync(Frame("1"));
        await AddAsync(Frame("1") with { Study = "1.9" });
        await AddAsync(Frame("1") with { Address = IPAddress.Parse("10.0.0.9") });
        await AddAsync(Frame("1") with { Caller = new("other", Roles.Viewer) });
        await AddAsync(Frame("1") with { Notes = new() { Backends = ["west"] } });
        await AddAsync(Frame("1") with { Subject = AuditSubject.Rendered });
        await PassAsync(AuditWindows.Length);

        Assert.Equal(6, _records.Count(r => r.Event == AuditEvent.InstancesAccessed));
    }

    [Fact]
    public async Task RecordsAFailureAtOnce_AndCountsTheRest()
    {
        for (var i = 0; i < 5; i++) await AddAsync(Frame("1") with { Status = 404 });

        Assert.Equal((4, "status 404", null), (_records.Single().Outcome, _records[0].OutcomeText, _records[0].Counts));
        await PassAsync(AuditWindows.Length);

        Assert.Equal(4, _records[1].Counts!.Requests);
        Assert.NotEqual(_records[0].Id, _records[1].Id);
    }

    [Fact]
    public async Task RecordsADeniedStudyAsDenied_NotAsAbsent()
    {
        await AddAsync(Frame("1") with { Status = 404, Notes = new() { Outcome = AccessOutcome.Denied } });

        Assert.Equal((4, "denied"), (_records[0].Outcome, _records[0].OutcomeText));
    }

    [Fact]
    public async Task RaisesAnAlert_AfterTenRefusals_Once()
    {
        for (var i = 0; i < 50; i++) await AddAsync(Frame("1") with { Study = $"1.2.{i}", Status = 403 });

        var alert = Assert.Single(_records, r => r.Event == AuditEvent.SecurityAlert);
        Assert.Equal((AuditEventType.NodeAuthentication, "127.0.0.1", 4), (alert.Type, alert.Address, alert.Outcome));
    }

    [Fact]
    public async Task RecordsAnEmergency_AsAlertAndAsAccess()
    {
        var request = Frame("1") with { Notes = new() { IsEmergency = true, Reason = "resuscitation", Backends = ["east"] } };
        await AddAsync(request);
        await AddAsync(request);
        await PassAsync(AuditWindows.Length);

        var alert = Assert.Single(_records, r => r.Event == AuditEvent.SecurityAlert);
        Assert.Equal((AuditEventType.EmergencyOverride, "1.2", "resuscitation"), (alert.Type, alert.Study, alert.Reason));
        var access = Assert.Single(_records, r => r.Event == AuditEvent.InstancesAccessed);
        Assert.Equal((true, "resuscitation", 2), (access.IsEmergency, access.Reason, access.Counts!.Requests));
    }

    [Fact]
    public async Task RecordsACredentialOnce_AndARefusedOne()
    {
        var anna = new Caller("anna", Roles.Viewer) { Key = "k" };
        await AddAsync(Frame("1") with { Caller = anna });
        await AddAsync(Frame("2") with { Caller = anna });
        await AddAsync(Frame("2") with { Status = 401 });

        var records = _records.Where(r => r.Event == AuditEvent.UserAuthentication).ToList();
        Assert.Equal([("anna", 0), ("", 4)], records.Select(r => (r.UserId, r.Outcome)));
        Assert.All(records, r => Assert.Equal(AuditEventType.Login, r.Type));
    }

    [Fact]
    public async Task RecordsTheEndOfASession_AndNoneWithoutAUser()
    {
        var anna = new Caller("anna", Roles.Viewer) { Key = "k" };
        var signOut = Frame("") with { Subject = AuditSubject.SignOut, Study = null, Frames = null };
        await AddAsync(signOut with { Caller = anna });
        await AddAsync(signOut with { Caller = Caller.Anonymous });

        Assert.Equal([AuditEventType.Login, AuditEventType.Logout], _records.Select(r => r.Type));
        Assert.All(_records, r => Assert.Equal(("anna", AuditEvent.UserAuthentication, 0), (r.UserId, r.Event, r.Outcome)));
    }

    [Fact]
    public async Task HidesSecretsInAQuery()
    {
        await AddAsync(Frame("1") with
        {
            Subject = AuditSubject.Search,
            Path = "/dicomweb/studies",
            Query = "?access_token=abc&PatientID=7&%74oken=d",
        });

        Assert.Equal("/dicomweb/studies?access_token=(hidden)&PatientID=7&%74oken=(hidden)", _records[^1].Query);
    }

    [Fact]
    public async Task BoundsItsMemory_WhenAClientAsksForMillionsOfStudies()
    {
        for (var i = 0; i < AuditWindows.MaxWindows + 500; i++) await AddAsync(Frame("1") with { Study = $"1.2.{i}" });
        await PassAsync(TimeSpan.Zero);

        Assert.Equal(500, _records.Count(r => r.Event == AuditEvent.InstancesAccessed));
    }

    private FinishedRequest Frame(string instance) => new(
        AuditSubject.Frames, Caller.Anonymous, IPAddress.Loopback, new() { Backends = ["east"] }, _now)
    {
        Method = "GET",
        Status = 200,
        Study = "1.2",
        Series = "1.3",
        Instance = instance,
        Frames = "1",
        Source = CacheStatus.Hit,
    };

    private async Task AddAsync(FinishedRequest request) => await _description.AddAsync(request, TestContext.Current.CancellationToken);

    private async Task PassAsync(TimeSpan time)
    {
        _now += time;
        await _description.EndWindowsAsync(_now, TestContext.Current.CancellationToken);
    }
}
