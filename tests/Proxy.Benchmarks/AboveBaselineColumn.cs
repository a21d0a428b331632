using System.Globalization;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Proxy.Benchmarks;

/// <summary>The mean minus the baseline's mean, in milliseconds: the cost of the proxy on top of its backends.</summary>
internal sealed class AboveBaselineColumn : BaselineCustomColumn
{
    public override string Id => nameof(AboveBaselineColumn);

    public override string ColumnName => "Above";

    public override int PriorityInCategory => 0;

    public override bool IsNumeric => true;

    public override UnitType UnitType => UnitType.Time;

    public override string Legend => "Above : Mean minus the baseline's mean, in milliseconds";

    public override string GetValue(
        Summary summary, BenchmarkCase benchmarkCase, BenchmarkDotNet.Mathematics.Statistics baseline, IReadOnlyDictionary<string,
        Metric> baselineMetrics,
        BenchmarkDotNet.Mathematics.Statistics current, IReadOnlyDictionary<string, Metric> currentMetrics, bool isBaseline) =>
        isBaseline ? "-" : ((current.Mean - baseline.Mean) / 1e6).ToString("F2", CultureInfo.InvariantCulture) + " ms";
}

/// <summary>Shows <see cref="AboveBaselineColumn"/> for a class of benchmarks.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class AboveBaselineColumnAttribute() : ColumnConfigBaseAttribute(new AboveBaselineColumn());
