using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Events;

public sealed class EventLogTests : IDisposable
{
    private readonly LogLines _lines = new();
    private readonly LoggerFactory _loggers;

    public EventLogTests() => _loggers = new([_lines]);

    public void Dispose() => _loggers.Dispose();

    [Fact]
    public void ReadsLaterEventsInOrder()
    {
        var log = Create();
        Publish(log, 1, 2);
        var reader = log.ReadAfter(null);
        Assert.Empty(reader.ReadAll());
        Publish(log, 3, 5);
        Assert.Equal(["3", "4", "5"], Read(reader));
        Assert.Empty(Read(reader));
    }

    [Fact]
    public void ContinuesAfterTheLastReadEvent_WhenAReaderReconnects()
    {
        var log = Create();
        var reader = log.ReadAfter(null);
        Publish(log, 1, 3);
        reader.Read();
        reader.Read();
        var id = reader.LastId;
        Assert.Equal(["3"], Read(log.ReadAfter(id)));
        Publish(log, 4, 4);
        Assert.Equal(["3", "4"], Read(log.ReadAfter(id)));
    }

    [Fact]
    public void LosesNothing_WhenAReaderLeftBeforeTheFirstEvent()
    {
        var log = Create();
        var id = log.ReadAfter("").LastId;
        Publish(log, 1, 2);
        Assert.Equal(["1", "2"], Read(log.ReadAfter(id)));
    }

    [Theory]
    [InlineData(10, 0)]
    [InlineData(11, 1)]
    [InlineData(25, 15)]
    public void ReportsTheNumberOfLostEvents_WhenAReaderIsLate(int published, int lost)
    {
        var log = Create(maxEvents: 10);
        var (late, id) = (log.ReadAfter(null), log.ReadAfter(null).LastId);
        Publish(log, 1, published);
        string[] expected = [.. lost == 0 ? (string[])[] : [$"gap {lost}"], .. Enumerable.Range(lost + 1, 10).Select(n => $"{n}")];
        Assert.Equal(expected, Read(late));
        Assert.Equal(expected, Read(log.ReadAfter(id)));
    }

    [Fact]
    public void ReportsASecondGap_WhenAReaderIsLateAgain()
    {
        var log = Create(maxEvents: 3);
        var reader = log.ReadAfter(null);
        Publish(log, 1, 5);
        Assert.Equal(ProxyEvent.Gap, reader.Read()!.Event.Name);
        Assert.Equal("3", reader.Read()!.Event.Backend);
        Publish(log, 6, 9);
        Assert.Equal(["gap 3", "7", "8", "9"], Read(reader));
    }

    [Fact]
    public void ContinuesAfterAGap_WhenAReaderReconnects()
    {
        var log = Create(maxEvents: 3);
        var reader = log.ReadAfter(null);
        Publish(log, 1, 5);
        var gap = reader.Read()!;
        Assert.Equal($"id: {reader.LastId}\nevent: gap\ndata: {{\"lost\":2}}\n\n", Encoding.UTF8.GetString(gap.Bytes.Span));
        Assert.Equal(["3", "4", "5"], Read(log.ReadAfter(reader.LastId)));
    }

    [Fact]
    public void ReportsAGapOfUnknownSize_WhenAnIdIsInvalidOrFromAnotherProcess()
    {
        var (log, earlier) = (Create(), Create());
        Publish(log, 1, 2);
        Publish(earlier, 1, 2);
        var last = log.ReadAfter(null).LastId;
        var epoch = last.Split('-')[0];
        foreach (var id in (string[])[
            earlier.ReadAfter(null).LastId, "2", "x", "-", $"{epoch}", $"{epoch}-", $"{epoch}-x", $"{epoch}--1", $"{epoch}-3",
            $"{epoch}-99999999999999999999", $"{epoch}- 1", new('9', 30_000)])
            Assert.Equal(["gap ?", "1", "2"], Read(log.ReadAfter(id)));
        Assert.Empty(Read(log.ReadAfter(last)));
        Assert.Equal(["1", "2"], Read(log.ReadAfter(epoch + "-0")));
        Assert.Equal(["gap ?"], Read(Create().ReadAfter("x")));
    }

    [Fact]
    public void BoundsTheHistoryByUids_ButAlwaysHoldsTheNewestEvent()
    {
        var log = Create(maxEvents: 100, maxUids: 10);
        var reader = log.ReadAfter(null);
        log.Publish(Named(1) with { Added = Uids(4) });
        log.Publish(Named(2) with { Added = Uids(4) });
        log.Publish(Named(3) with { Added = Uids(4) });
        Assert.Equal(["gap 1", "2", "3"], Read(reader));
        var second = log.ReadAfter(null);
        log.Publish(Named(4) with { Added = Uids(40) });
        Assert.Equal(["4"], Read(second));
        log.Publish(Named(5));
        Assert.Equal(["5"], Read(second));
        Assert.Equal(5, log.First);
    }

    [Fact]
    public void WritesDataAsOneLineOfJson_WithoutEmptyMembers()
    {
        var added = new ProxyEvent(ProxyEvent.InstancesAdded)
        {
            Study = Uid.Parse("1.2"),
            Series = Uid.Parse("1.2.1"),
            Backend = "east",
            MadeInClient = false,
            Added = Uids(3),
        };
        Assert.Equal(
            """{"StudyInstanceUID":"1.2","SeriesInstanceUID":"1.2.1","instances":3,"backend":"east","madeInClient":false}""",
            Data(added));
        Assert.Equal(
            """{"StudyInstanceUID":"1.2","SeriesInstanceUIDs":["1.9.1","1.9.2"],"backend":"east","madeInClient":false}""",
            Data(added with { Name = ProxyEvent.SeriesAdded, Series = null, Added = Uids(2) }));
        Assert.Equal("""{"backend":"west"}""", Data(new(ProxyEvent.BackendDown) { Backend = "west" }));
        var job = new ProxyEvent(ProxyEvent.PrefetchProgress) { MadeInClient = true }.With("job", new { Id = "7", Why = "two\nlines é" });
        Assert.Equal("two\nlines é", (string)JsonNode.Parse(Data(job))!["job"]!["why"]!);

        static string Data(ProxyEvent e)
        {
            var lines = Encoding.UTF8.GetString(EventFormat.Write("e", e with { Id = 7 })).Split('\n');
            Assert.Equal(["id: e-7", $"event: {e.Name}"], lines[..2]);
            Assert.Equal(["", ""], lines[3..]);
            return lines[2]["data: ".Length..];
        }
    }

    [Fact]
    public void FormatsAnEventOnce_ForAllReaders()
    {
        var log = Create();
        var (first, second) = (log.ReadAfter(null), log.ReadAfter(null));
        Publish(log, 1, 1);
        Assert.True(first.Read()!.Bytes.Equals(second.Read()!.Bytes));
    }

    /// <summary>Each reader reads each event once and in order; its gaps count the events that it misses.</summary>
    [Theory]
    [InlineData(100_000)]
    [InlineData(64)]
    public async Task ReadsOrCountsEveryEvent_WhenManyReadAndPublish(int maxEvents)
    {
        const int Publishers = 4, Each = 5_000, Readers = 6;
        var log = Create(maxEvents);
        var readers = Enumerable.Range(0, Readers).Select(_ => log.ReadAfter(null)).ToArray();
        var reading = readers.Select(reader => Task.Run(() => FollowAsync(reader, Publishers * Each))).ToArray();

        Parallel.For(
            0, Publishers, new() { MaxDegreeOfParallelism = Publishers },
            publisher => Publish(log, 1 + publisher * Each, (publisher + 1) * Each));

        foreach (var (found, lost) in await Task.WhenAll(reading).WaitAsync(
            Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken))
        {
            Assert.Equal(Publishers * Each, found.Count + lost);
            Assert.Equal(found.Count, found.Distinct().Count());
            foreach (var publisher in found.GroupBy(n => (n - 1) / Each)) Assert.Equal(publisher.Order(), publisher);
            if (maxEvents > Publishers * Each) Assert.Equal(0, lost);
        }
    }

    [Fact]
    public async Task CallsASubscriberOncePerEventOfItsName_InOrder()
    {
        var log = Create();
        var received = new ConcurrentQueue<string?>();
        Publish(log, 1, 1);
        using var _ = log.Subscribe(ProxyEvent.BackendUp, e => received.Enqueue(e.Backend));
        for (var n = 2; n <= 500; n++)
        {
            log.Publish(new(ProxyEvent.BackendDown));
            Publish(log, n, n);
        }
        await Until.TrueAsync(() => received.Count == 499);
        Assert.Equal(Enumerable.Range(2, 499).Select(n => $"{n}"), received);
    }

    [Fact]
    public async Task CallsOtherSubscribers_WhenOneHangsOrThrows()
    {
        var log = Create();
        using var gate = new ManualResetEventSlim();
        var (slow, bad, received) = (0, 0, 0);
        using var first = log.Subscribe(ProxyEvent.BackendUp, _ => { gate.Wait(Until.Patience); slow++; });
        using var second = log.Subscribe(ProxyEvent.BackendUp, _ => { bad++; throw new InvalidOperationException(); });
        using var third = log.Subscribe(ProxyEvent.BackendUp, _ => received++);

        Publish(log, 1, 10);

        await Until.TrueAsync(() => received == 10 && bad == 10);
        Assert.Equal(0, slow);
        gate.Set();
        await Until.TrueAsync(() => slow == 10);
        Assert.Equal(10, _lines.All.Count(l => l.Contains("A subscriber to BACKEND_UP failed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task LogsTheNumberOfMissedEvents_WhenASubscriberIsTooSlow()
    {
        var log = Create(maxEvents: 5);
        using var gate = new ManualResetEventSlim();
        var received = new ConcurrentQueue<string?>();
        using var _ = log.Subscribe(ProxyEvent.BackendUp, e => { received.Enqueue(e.Backend); gate.Wait(Until.Patience); });
        Publish(log, 1, 1);
        await Until.TrueAsync(() => received.Count == 1);

        Publish(log, 2, 20);
        gate.Set();

        await Until.TrueAsync(() => received.Count == 6);
        Assert.Equal(["1", "16", "17", "18", "19", "20"], received);
        Assert.Contains(
            _lines.All, l => l.Contains("A subscriber to BACKEND_UP was too slow and missed 14 events", StringComparison.Ordinal));
    }

    [Fact]
    public async Task EndsOneSubscription_WhenAnotherHasTheSameHandler()
    {
        var log = Create();
        var received = 0;
        var first = log.Subscribe(ProxyEvent.BackendUp, Receive);
        using var second = log.Subscribe(ProxyEvent.BackendUp, Receive);
        using var last = log.Subscribe(ProxyEvent.BackendDown, Receive);
        first.Dispose();
        Publish(log, 1, 1);
        log.Publish(new(ProxyEvent.BackendDown));
        await Until.TrueAsync(() => Volatile.Read(ref received) == 2);

        void Receive(ProxyEvent e) => Interlocked.Increment(ref received);
    }

    private static async Task<(List<int> Found, long Lost)> FollowAsync(EventReader reader, int last)
    {
        var (found, lost, seen) = (new List<int>(), 0L, 0L);
        while (seen < last)
        {
            var news = reader.News;
            while (reader.Read() is { Event: { } read })
            {
                Assert.InRange(read.Id, seen, long.MaxValue);
                seen = read.Id;
                if (read.Name == ProxyEvent.Gap) lost += read.More["lost"].GetInt64();
                else found.Add(int.Parse(read.Backend!, CultureInfo.InvariantCulture));
            }
            if (seen < last) await news.WaitAsync(Until.Patience, TimeProvider.System);
        }
        return (found, lost);
    }

    private EventLog Create(int maxEvents = 1000, int maxUids = 1000) => new(_loggers.CreateLogger<EventLog>(), maxEvents, maxUids);

    private static ProxyEvent Named(int n) => new(ProxyEvent.BackendUp) { Backend = n.ToString(CultureInfo.InvariantCulture) };

    private static System.Collections.Immutable.ImmutableArray<Uid> Uids(int count) =>
        [.. Enumerable.Range(1, count).Select(n => Uid.Parse($"1.9.{n}"))];

    private static void Publish(EventLog log, int first, int last)
    {
        for (var n = first; n <= last; n++) log.Publish(Named(n));
    }

    private static IEnumerable<string?> Read(EventReader reader) =>
        reader.ReadAll().Select(
            e => e.Name == ProxyEvent.Gap ? "gap " + (e.More.TryGetValue("lost", out var lost) ? lost.ToString() : "?") : e.Backend);
}
